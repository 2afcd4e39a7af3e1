"""Business figures and attributions of a status."""
