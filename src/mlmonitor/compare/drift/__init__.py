"""Drift of distributions from the reference, and its decomposition by feature."""
