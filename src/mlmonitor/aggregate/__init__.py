"""The sketches of every field: columnar, fed a block at a time, mergeable, constant in memory."""
