"""Training and evaluation of style transfer."""
