"""One call becomes one record: copied in the host's thread, read in the worker's."""
