"""Alerts: when evidence and effect suffice for one, and when it has recovered."""
