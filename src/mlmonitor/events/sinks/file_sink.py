"""Events in files of JSON lines, which appear under their names when they are complete."""

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
    """When a file is completed, and how many bytes a folder may hold."""

    file_bytes: int
    file_seconds: float
    total_bytes: int

    @classmethod
    def check(cls, file_bytes: object, file_seconds: object, total_bytes: object) -> Self:
        """Build the limits; raise ConfigError if one of them is not a positive number."""
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
    """Return a name that no other process and no other file of this one has, in order of time."""
    model = re.sub(r"[^A-Za-z0-9_-]", "_", source.model)[:_NAME_CHARACTERS]
    return f"{model}-{source.instance[:13]}-{int(time.time() * 1e3):013d}-{number:06d}"


def has_room(folder: Path, limits: FileLimits) -> bool:
    """Whether the folder holds fewer bytes than it may."""
    total = 0
    with suppress(OSError):
        for entry in os.scandir(folder):
            with suppress(OSError):
                total += entry.stat().st_size
    return total < limits.total_bytes


class LineSink:
    """Writes one event a line.

    Files are unbuffered: a forked child would write a buffer out a second time.
    """

    suffix = ".jsonl"

    def __init__(self, folder: Path, source: EventSource, limits: FileLimits) -> None:
        self._folder, self._source, self._limits = folder, source, limits
        self._encoder, self._counter = JsonEncoder(), EventCounter("files")
        self._pid, self._number = os.getpid(), 0
        self._lock = threading.RLock()  # a flush runs beside the thread that records a batch
        self._path: Path | None = None
        self._file = -1
        self._bytes = self._events = 0
        self._opened_at = 0.0
        complete_abandoned(folder)

    def put(self, events: Sequence[Content], *, waits: bool = False) -> None:
        """Append events; those that the disk has no room for are dropped and counted."""
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
        """Write all lines or none: after a failure, the part that was written is cut off."""
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
        """Open the next file; return whether the folder has room for it."""
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
        """Give the file its name, once the disk has it."""
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
        """Complete a file that is old enough."""
        is_old = time.monotonic() - self._opened_at >= self._limits.file_seconds
        with self._lock:
            if self._path is not None and is_old:
                self._complete()

    def flush(self, timeout_seconds: float) -> bool:
        """Complete the file, so that everything can be read."""
        del timeout_seconds
        with self._lock:
            self._complete()
        return True

    def close(self, timeout_seconds: float) -> None:
        """Complete the file, in the process that wrote it."""
        if os.getpid() == self._pid:
            self.flush(timeout_seconds)

    def status(self) -> EventStatus:
        """Return the counts so far; events wait until their file is complete."""
        return self._counter.status(waiting=self._events)


def lock_file(file: int) -> None:
    """Lock a file for as long as it is open; raise OSError if another process has locked it."""
    if os.name == "posix":
        locks = import_module("fcntl")
        locks.flock(file, locks.LOCK_EX | locks.LOCK_NB)


def complete_abandoned(folder: Path) -> None:
    """Complete the files of processes that have crashed: their whole lines are good.

    A living process holds a lock on its file.
    """
    if os.name != "posix":
        return  # without locks nobody knows which processes live
    for path in sorted(folder.glob(f"*.jsonl{PART}")):
        with suppress(OSError), path.open("r+b") as file:
            lock_file(file.fileno())
            data = file.read()
            file.truncate(data.rfind(b"\n") + 1)
            path.replace(path.with_suffix(""))
