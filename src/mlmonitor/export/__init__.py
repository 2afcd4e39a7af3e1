"""Snapshots of all metrics, and their delivery to the configured destinations."""
