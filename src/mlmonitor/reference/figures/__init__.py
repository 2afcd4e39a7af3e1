"""Business figures and attributions of training rows."""
