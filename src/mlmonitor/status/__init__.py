"""The state of a model for people: as data and as text."""
