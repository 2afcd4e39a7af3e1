"""Business figures and attributions: what belongs to rows besides their features."""
