"""Missing, invalid, constant, vanished and new: changes of data quality, and declared rules."""
