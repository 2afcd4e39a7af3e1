"""The task of a model: what its reference or its first pairs show."""
