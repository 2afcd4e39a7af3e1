"""Additive sums over pairs of prediction and actual."""
