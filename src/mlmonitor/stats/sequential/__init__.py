"""Evidence about risks and estimates that is valid at any time."""
