"""Whether the predictions that get a label are like those that do not."""
