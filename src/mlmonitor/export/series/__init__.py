"""Convert the state of a model to the metrics of the catalogue: families of points."""
