"""The page as one self-contained file."""
