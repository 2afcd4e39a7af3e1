"""What each backend documents about the OTLP it takes, as rules over decoded points."""
