"""Risk: the losses of labelled predictions, compared with those at training."""
