"""Snapshots of everything, delivered to wherever they are expected."""
