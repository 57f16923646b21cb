"""Training and evaluation of the English verse model."""
