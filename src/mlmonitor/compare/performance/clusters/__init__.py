"""Intervals of performance if rows of one group depend on each other."""
