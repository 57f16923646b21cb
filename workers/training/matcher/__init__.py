"""Training of the encoders of texts and pictures."""
