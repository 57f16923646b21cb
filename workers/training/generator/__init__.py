"""Training and evaluation of the painting generator."""
