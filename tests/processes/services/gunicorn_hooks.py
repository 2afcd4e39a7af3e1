"""A gunicorn.conf.py with the mlmonitor hooks, one line each."""

from mlmonitor.integrations.gunicorn import post_fork, worker_exit

__all__ = ["post_fork", "worker_exit"]
