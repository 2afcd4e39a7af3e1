"""The order and the groups of training rows, and how much they depend on each other."""
