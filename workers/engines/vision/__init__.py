"""Classifiers and measures of pictures."""
