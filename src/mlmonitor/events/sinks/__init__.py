"""Destinations of events: each process has a sink, which counts events by outcome."""
