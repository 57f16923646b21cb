"""Measures of the generator: what ``python -m workers.training evaluate paint`` puts into its card."""
