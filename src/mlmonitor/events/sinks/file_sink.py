"""Write events to files of JSON lines, which are renamed when they are complete."""

import os
import re
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Self

from mlmonitor.compare.event_status import EventStatus
from mlmonitor.errors import ConfigError
from mlmonitor.events.content.event_source import Content, EventSource
from mlmonitor.events.sinks.event_encoder import JsonEncoder
from mlmonitor.events.sinks.event_sink import EventCounter

PART = ".part"
_NAME_CHARACTERS = 60


@dataclass(frozen=True)
class FileLimits:
    """The size and age (seconds) at which a file is completed, and the size limit of a folder."""

    file_bytes: int
    file_seconds: float
    total_bytes: int

    @classmethod
    def check(cls, file_bytes: object, file_seconds: object, total_bytes: object) -> Self:
        """Build the limits; raise ConfigError if a limit is not a positive number."""
        limits = {
            "max_file_bytes": file_bytes,
            "max_file_seconds": file_seconds,
            "max_total_bytes": total_bytes,
        }
        for name, value in limits.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                raise ConfigError(f"{name}: expected a number above 0")
        return cls(**{name.removeprefix("max_"): value for name, value in limits.items()})  # type: ignore[arg-type]  # checked above


def file_stem(source: EventSource, number: int) -> str:
    """Return a file name that is unique over all processes and sorts by time within a process."""
    model = re.sub(r"[^A-Za-z0-9_-]", "_", source.model)[:_NAME_CHARACTERS]
    return f"{model}-{source.instance[:13]}-{int(time.time() * 1e3):013d}-{number:06d}"


def has_room(folder: Path, limits: FileLimits) -> bool:
    """Whether the files of the folder have fewer bytes than the limit."""
    total = 0
    with suppress(OSError):
        for entry in os.scandir(folder):
            with suppress(OSError):
                total += entry.stat().st_size
    return total < limits.total_bytes


class LineSink:
    """Writes each event as one line of JSON.

    Files are not buffered, because a forked child would write the buffer again.
    """

    suffix = ".jsonl"

    def __init__(self, folder: Path, source: EventSource, limits: FileLimits) -> None:
        self._folder, self._source, self._limits = folder, source, limits
        self._encoder, self._counter = JsonEncoder(), EventCounter("files")
        self._pid, self._number = os.getpid(), 0
        self._lock = threading.RLock()  # a flush may run in another thread than `put`
        self._path: Path | None = None
        self._file = -1
        self._bytes = self._events = 0
        self._opened_at = 0.0
        complete_abandoned(folder)

    def put(self, events: Sequence[Content], *, waits: bool = False) -> None:
        """Append events; if the disk or the folder is full, drop and count them."""
        del waits
        with self._lock:
            self._put(events)

    def _put(self, events: Sequence[Content]) -> None:
        try:
            if self._path is None and not self._begin():
                return self._counter.add("dropped", len(events), "max_total_bytes is reached")
            lines = b"\n".join(self._encoder.encode(events)) + b"\n"
            self._append(lines)
        except OSError as error:
            return self._counter.add(
                "dropped", len(events), f"{type(error).__name__} while writing"
            )
        self._events += len(events)
        if self._bytes >= self._limits.file_bytes:
            self._complete()
        return None

    def _append(self, lines: bytes) -> None:
        """Write all lines or none: after a failure, truncate the part that was written."""
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            os.ftruncate(self._file, self._bytes)
            os.lseek(self._file, self._bytes, os.SEEK_SET)
            raise
        self._bytes += len(lines)

    def _begin(self) -> bool:
        """Open the next file, and return True; return False if the folder is full."""
        if not has_room(self._folder, self._limits):
            return False
        self._number += 1
        path = self._folder / f"{file_stem(self._source, self._number)}{self.suffix}{PART}"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        lock_file(self._file)
        self._path, self._bytes, self._events = path, 0, 0
        self._opened_at = time.monotonic()
        return True

    def _complete(self) -> None:
        """Flush the file to the disk, and rename it to its final name."""
        if self._path is None:
            return
        path, self._path = self._path, None
        try:
            os.fsync(self._file)
            os.close(self._file)
            path.replace(path.with_suffix(""))
            self._counter.add("delivered", self._events)
        except OSError as error:
            self._counter.add("dropped", self._events, f"{type(error).__name__} while completing")
        self._events = 0

    def poll(self) -> None:
        """Complete the file if it is old enough."""
        is_old = time.monotonic() - self._opened_at >= self._limits.file_seconds
        with self._lock:
            if self._path is not None and is_old:
                self._complete()

    def flush(self, timeout_seconds: float) -> bool:
        """Complete the file, so that all events can be read."""
        del timeout_seconds
        with self._lock:
            self._complete()
        return True

    def close(self, timeout_seconds: float) -> None:
        """Complete the file; in a forked child, do nothing."""
        if os.getpid() == self._pid:
            self.flush(timeout_seconds)

    def status(self) -> EventStatus:
        """Return counts by outcome; events of an incomplete file count as waiting."""
        return self._counter.status(waiting=self._events)


def lock_file(file: int) -> None:
    """Lock a file while it is open; raise OSError if another process has locked it."""
    if os.name == "posix":
        locks = import_module("fcntl")
        locks.flock(file, locks.LOCK_EX | locks.LOCK_NB)


def complete_abandoned(folder: Path) -> None:
    """Complete the files of crashed processes; an incomplete last line is removed.

    The file of a running process is locked, and so is left alone.
    """
    if os.name != "posix":
        return  # without locks, a crashed process cannot be recognised
    for path in sorted(folder.glob(f"*.jsonl{PART}")):
        with suppress(OSError), path.open("r+b") as file:
            lock_file(file.fileno())
            data = file.read()
            file.truncate(data.rfind(b"\n") + 1)
            path.replace(path.with_suffix(""))
