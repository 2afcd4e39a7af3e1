"""A strict OTLP receiver for tests: it validates, adds up, and fails on demand."""
