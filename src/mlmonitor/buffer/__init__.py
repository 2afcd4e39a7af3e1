"""Between the host's threads and the worker: a bounded hand-over, and predictions in waiting."""
