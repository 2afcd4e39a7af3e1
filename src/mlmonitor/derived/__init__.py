"""Numeric fields derived from others: lengths of texts, directions of embeddings, distances of rows."""
