"""The geometry of charts: turn numbers into SVG paths and labels, which templates draw."""
