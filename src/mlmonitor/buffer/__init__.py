"""Between the host's threads and the worker: a bounded queue, and predictions that await labels."""
