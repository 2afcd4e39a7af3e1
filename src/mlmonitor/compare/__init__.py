"""What arrives, compared with what the model was trained on."""
