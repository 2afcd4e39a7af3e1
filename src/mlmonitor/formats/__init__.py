"""Formats of files and messages that later releases must still read: versioned and validated."""
