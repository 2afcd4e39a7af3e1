"""The standard OpenTelemetry variables of a process, as typed values."""
