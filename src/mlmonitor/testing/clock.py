"""Time in a test's hands."""


class ManualClock:
    """Seconds since 1970 that pass on request; hand it to `Monitor(clock=...)`.

    Raises ValueError if it is asked to go back: the real one never does.
    """

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now

    def __call__(self) -> float:
        """The time it is."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        if seconds < 0:
            raise ValueError("seconds: expected 0 or more")
        self._now += seconds
