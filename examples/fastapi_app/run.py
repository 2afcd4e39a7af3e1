"""The demo: a collector, a monitored service and a replay of real claims, in about a minute.

Run it with `make demo`, or `python examples/fastapi_app/run.py`. `DEMO_SECONDS` sets how long it
takes (60 by default). The exit status is 0 if everything that the client sent has passed the
collector, and 130 after Ctrl-C.
"""

import os
import signal
import sys
import tempfile
from io import TextIOWrapper
from pathlib import Path
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    """Run the demo in a temporary folder, and clean up however it ends."""
    # Set explicitly, because a shell starts background jobs with SIGINT ignored.
    for number in _ENDING:
        signal.signal(number, _interrupt)
    # Readers of a pipe should get each line at once, and requests to this host need no proxy.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    try:
        import demo  # inside `try`: it takes a second, in which Ctrl-C should also work

        with tempfile.TemporaryDirectory(prefix="mlmonitor-demo-") as folder:
            return demo.run(Path(folder), environ=os.environ)
    except KeyboardInterrupt:
        print("\ninterrupted; everything is stopped", file=sys.stderr)
        return INTERRUPTED


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    # A second Ctrl-C must not interrupt the stopping of the children.
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
