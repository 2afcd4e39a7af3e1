"""Connections over HTTP and gRPC, with their endpoints and credentials."""
