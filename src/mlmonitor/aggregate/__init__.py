"""The sketches of every field: columnar, updated by block, mergeable, constant in memory."""
