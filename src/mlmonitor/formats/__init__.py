"""Files and messages that outlive a release: versioned, and validated when they are read."""
