"""Hooks for the servers that a service runs in, one module each; none imports its server."""
