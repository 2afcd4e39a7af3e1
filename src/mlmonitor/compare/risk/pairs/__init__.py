"""The newest pairs of predictions and actuals, and the label faults that they show."""
