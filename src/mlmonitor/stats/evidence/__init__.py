"""Parts that all e-processes share."""
