"""Training and evaluation of the upscaler."""
