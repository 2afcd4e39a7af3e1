"""Load events from Kafka or files into the store, each event exactly once."""
