"""Drift of distributions from the reference, and what explains it."""
