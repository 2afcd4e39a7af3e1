"""The service: failures and latency of its calls, compared with its first calls."""
