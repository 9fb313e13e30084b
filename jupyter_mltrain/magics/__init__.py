"""Cell and line text in, service call out."""
