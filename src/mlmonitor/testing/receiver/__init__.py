"""A strict OTLP receiver for tests: it checks, adds up, and fails on demand."""
