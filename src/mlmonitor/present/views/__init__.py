"""The contents of the parts of the page, computed from a snapshot: texts, numbers and paths."""
