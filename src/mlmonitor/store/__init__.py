"""The event log in PostgreSQL: its schema, its loader, and the figures computed from it."""
