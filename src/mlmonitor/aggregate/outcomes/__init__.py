"""Additive sums over pairs of a prediction and its actual."""
