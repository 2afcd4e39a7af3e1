"""The report: the page as one self-contained file."""
