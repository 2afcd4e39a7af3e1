"""The half of capture that runs in the worker's thread: records become columns of numbers."""
