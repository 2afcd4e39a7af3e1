"""Compare live rows with the reference that the model was trained on."""
