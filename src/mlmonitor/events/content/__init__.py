"""The content of events about rows, labels, alerts and references."""
