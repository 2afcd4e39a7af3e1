"""Incidents: alerts with one cause, as one event with a title and advice."""
