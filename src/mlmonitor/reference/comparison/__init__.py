"""Compare two references."""
