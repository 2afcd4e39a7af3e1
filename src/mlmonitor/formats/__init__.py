"""Everything that outlives a release: files and messages, versioned, checked when they are read."""
