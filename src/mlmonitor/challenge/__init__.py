"""Comparison of a champion with its challenger on the same traffic."""
