"""Chinese regulated verse: planning, decoding and annotation."""
