"""Selective labels: whether predictions with a label are like those without."""
