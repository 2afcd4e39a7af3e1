"""Rows counted once, anywhere, merged, and compared with a reference later."""
