"""Whether to keep, recalibrate or retrain a model, with reasons."""
