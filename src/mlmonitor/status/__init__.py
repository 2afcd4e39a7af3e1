"""The status of a model, as data and as text."""
