"""The task of a model, inferred from its reference or its first pairs."""
