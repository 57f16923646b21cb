"""Training and evaluation of the Chinese verse model."""
