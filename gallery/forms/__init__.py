"""Forms: what people send, checked field by field."""
