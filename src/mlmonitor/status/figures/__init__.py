"""Business figures and attributions in a status."""
