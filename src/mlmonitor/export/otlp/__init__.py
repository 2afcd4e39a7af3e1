"""Encode snapshots as OTLP messages, send them, and read the answers."""
