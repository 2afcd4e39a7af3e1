"""Hooks for servers and task queues, one module each; none imports its server."""
