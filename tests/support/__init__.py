"""Helpers that several folders of tests share: streams, strategies, receivers and processes."""
