"""Statistics as pure functions of counts: distances, critical values, e-processes."""
