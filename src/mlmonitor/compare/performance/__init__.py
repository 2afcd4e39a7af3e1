"""Predictions beside the actuals that arrived for them."""
