"""Snapshots as OTLP messages, and answers read."""
