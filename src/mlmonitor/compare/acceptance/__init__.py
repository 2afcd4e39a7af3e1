"""Accepts the live window of a field as its new baseline."""
