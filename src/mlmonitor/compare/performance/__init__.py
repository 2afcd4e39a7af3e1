"""Performance: predictions compared with their actuals."""
