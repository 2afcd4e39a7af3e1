"""A clock that tests advance by hand."""


class ManualClock:
    """A clock in seconds since 1970 that advances on request; pass it to `Monitor(clock=...)`.

    Raises ValueError for a negative step.
    """

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now

    def __call__(self) -> float:
        """Return the current time."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Advance the clock by `seconds`."""
        if seconds < 0:
            raise ValueError("seconds: expected 0 or more")
        self._now += seconds
