"""Replay the claims against the stack's service, one day of claims every few seconds.

Half-way through, prices rise and drift begins; the dashboards show when and why.
"""

import os
import time
from datetime import date

import httpx

import claims
from replay import Replay, agenda, shifted

REPORT_SECONDS = 60.0


def main() -> None:
    """Replay all claims once, and print the progress every minute."""
    service = os.environ.get("STACK_SERVICE", "http://127.0.0.1:8000")
    day_seconds = float(os.environ.get("STACK_DAY_SECONDS", "2"))
    since, until = claims.LIVE
    live = shifted(claims.live(claims.load(claims.prism_path())), claims.Inflation())
    events = agenda(live)
    with httpx.Client(base_url=service, timeout=30.0) as client:
        replay = Replay(client, live)
        for _ in replay.play(events, since=date.min, until=since, day_seconds=0.0):
            pass  # the claims that are open already
        reported_at = time.monotonic()
        for event in replay.play(events, since=since, until=until, day_seconds=day_seconds):
            if time.monotonic() - reported_at > REPORT_SECONDS:
                reported_at = time.monotonic()
                print(f"{event.day}: {replay.predictions} predictions, {replay.labels} labels")


if __name__ == "__main__":
    main()
