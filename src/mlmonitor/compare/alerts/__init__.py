"""Alerts: when they fire, and when they resolve."""
