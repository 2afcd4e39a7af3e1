"""The content of events: what is sent of rows, labels, alerts and references."""
