"""What a notebook or a terminal shows: fragments of HTML, and a line of progress."""
