"""Business figures (KPIs) and attributions: data of rows besides their features."""
