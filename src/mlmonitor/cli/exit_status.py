"""Exit statuses of all commands."""

OK, FAILED, WRONG = 0, 1, 2
"""All is well; a check failed; the question itself was wrong."""
