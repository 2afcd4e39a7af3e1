"""Watched calls and blocks: the code that runs around a prediction in the host's thread."""
