"""The event log's way into PostgreSQL, and what is asked of it there."""
