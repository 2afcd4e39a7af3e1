"""Profiles: rows are counted anywhere, counts are merged, and compared with a reference later."""
