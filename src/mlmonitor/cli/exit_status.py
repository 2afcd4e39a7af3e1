"""Exit statuses of all commands."""

OK, FAILED, WRONG = 0, 1, 2
"""Success; a check failed; the arguments or the configuration are wrong."""
