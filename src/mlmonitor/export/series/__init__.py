"""A model as series of the catalogue: families of points with shared attributes."""
