"""The service itself: failures and latency of its calls, beside its own first ones."""
