"""The losses of training rows, from their predictions and actuals."""
