"""Watched calls and blocks: what surrounds a prediction in the host's thread."""
