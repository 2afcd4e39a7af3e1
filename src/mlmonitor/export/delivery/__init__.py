"""Delivery to one destination: what was sent, what was acknowledged, what failed and why."""
