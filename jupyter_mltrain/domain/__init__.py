"""What the product talks about: frozen records, enumerations, events and the error tree."""
