"""Mergeable sketches, one per module; merging an empty sketch changes nothing."""
