"""What a model was trained on, fitted and saved."""
