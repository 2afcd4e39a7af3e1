"""From Kafka into the store: each event exactly once."""
