"""The thread that drives a pipeline, the clock it reads, and how a process forks and exits."""
