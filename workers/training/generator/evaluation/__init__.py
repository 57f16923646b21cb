"""Measures of the painter: what ``python -m workers.training evaluate paint`` puts into its card."""
