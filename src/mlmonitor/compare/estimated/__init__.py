"""Performance estimated without labels, from the calibration of the training predictions."""
