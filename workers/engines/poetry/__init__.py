"""Writing verse: what both languages share."""
