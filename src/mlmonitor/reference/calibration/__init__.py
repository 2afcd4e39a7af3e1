"""Fit how training predictions relate to actuals, to estimate live performance without labels."""
