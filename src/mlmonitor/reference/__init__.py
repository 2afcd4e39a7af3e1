"""Summarise the training data of a model as a reference, and save it."""
