"""One destination: what is due, what was acknowledged, what failed and why."""
