"""Style transfer: statistics, optimisation, regions and sizes."""
