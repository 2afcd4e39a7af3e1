"""Each call becomes a record, copied in the host application's thread and read in the worker's."""
