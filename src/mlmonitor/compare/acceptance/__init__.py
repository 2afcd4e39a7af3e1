"""A new normal: the live window of a field becomes its baseline."""
