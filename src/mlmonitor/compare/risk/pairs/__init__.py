"""The newest pairs of predictions and actuals, and the faults of labels that they show."""
