"""Send alerts, incidents and verdicts to other systems."""
