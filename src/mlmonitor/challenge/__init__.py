"""A champion against its challenger, on the same traffic."""
