"""Training and evaluation of the shipped models: ``python -m workers.training --help``."""
