"""The calibration of training predictions: from the rows at fit to curves while serving."""
