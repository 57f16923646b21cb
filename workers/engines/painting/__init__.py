"""The painting pipeline of the kinds paint and blend."""
