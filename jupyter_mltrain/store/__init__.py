"""The only room that knows SQL and artifact files."""
