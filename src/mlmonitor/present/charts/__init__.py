"""Geometry of charts: numbers in, paths and labels out; templates draw them."""
