"""Incidents: alerts of one cause, as one event with a title and advice."""
