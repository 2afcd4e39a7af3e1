"""Training rows that are spread over the machines of Spark or Dask."""
