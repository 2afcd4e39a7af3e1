"""HTTP and gRPC, endpoints and credentials."""
