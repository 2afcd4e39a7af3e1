"""Exports through the OpenTelemetry SDK: one of its exporters, or the host's own provider."""
