"""What a part of the page says, computed from a snapshot: text, numbers and paths."""
