"""Profiles: count rows anywhere, merge the counts, and compare them with a reference later."""
