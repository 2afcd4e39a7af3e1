"""Alerts, incidents and verdicts as events that other systems receive."""
