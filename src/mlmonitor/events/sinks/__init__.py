"""Where events go: one sink a process, with counts of what became of its events."""
