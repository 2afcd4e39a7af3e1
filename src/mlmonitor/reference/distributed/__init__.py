"""Sample training rows from distributed frames of Spark or Dask."""
