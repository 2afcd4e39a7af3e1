"""From training columns to the entries of a reference, field by field and segment by segment."""
