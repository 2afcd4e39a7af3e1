"""The event log in PostgreSQL: schema, loader, and figures computed from stored events."""
