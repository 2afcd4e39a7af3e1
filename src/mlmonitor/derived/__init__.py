"""Numeric fields derived from others: text lengths, embedding directions, distances of rows."""
