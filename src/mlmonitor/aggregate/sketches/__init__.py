"""One mergeable sketch a module; the empty sketch is the identity of `merge`."""
