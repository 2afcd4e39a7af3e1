"""Build the content of events about predictions, labels, alerts and references."""
