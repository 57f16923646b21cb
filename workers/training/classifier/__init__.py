"""Training and evaluation of the classifiers of pictures."""
