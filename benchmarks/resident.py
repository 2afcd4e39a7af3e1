"""The resident memory of a process and its children, read ten times a second."""

import os
import threading
from pathlib import Path
from typing import Self

SECONDS = 0.1


def resident_bytes(pid: int) -> int:
    """Return the resident bytes of a process and its children; 0 if it has ended."""
    total = 0
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
        total += int(pages) * os.sysconf("SC_PAGE_SIZE")
        for task in Path(f"/proc/{pid}/task").iterdir():  # children are listed per thread
            children = (task / "children").read_text(encoding="ascii").split()
            total += sum(resident_bytes(int(child)) for child in children)
    except OSError:
        return total
    return total


class PeakMemory:
    """Measures the peak resident memory of this process and its children within a `with` block."""

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.peak_bytes = max(self.peak_bytes, resident_bytes(os.getpid()))
            if self._ended.wait(SECONDS):
                return
