"""Sketches of every field: columnar, updated block by block, mergeable, constant in memory."""
