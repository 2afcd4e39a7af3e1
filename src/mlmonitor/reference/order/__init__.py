"""The order and groups of training rows, and how strongly the rows depend on each other."""
