"""Destinations of events: one sink a process, which counts its events by outcome."""
