"""Output for notebooks and terminals: HTML fragments, and a progress line."""
