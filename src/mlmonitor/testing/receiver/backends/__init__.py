"""The documented rules of each backend for OTLP, applied to decoded points."""
