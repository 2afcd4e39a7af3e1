"""Commands about the event store."""
