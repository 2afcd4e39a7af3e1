"""Turn training columns into the entries of a reference, by field and by segment."""
