"""Exports through the OpenTelemetry SDK: by one of its exporters, or the application's provider."""
