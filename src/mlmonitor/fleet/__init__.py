"""Merge counts of rows from many processes, files or partitions."""
