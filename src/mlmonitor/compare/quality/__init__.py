"""Data quality: missing, invalid, constant, vanished and new values, and declared rules."""
