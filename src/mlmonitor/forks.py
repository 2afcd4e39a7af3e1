"""Restart what a fork breaks, including forks made in C, which run none of Python's hooks.

If one thread forks while another is importing a module, the child's copy of that module stays
locked, and its first use in the child hangs. Python's forks therefore wait for `hold_forks`.
"""

import ctypes
import mmap
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, Self, cast

_WIPE_ON_FORK = 18  # MADV_WIPEONFORK of Linux 4.14, which `mmap` does not name


class ProcessMark(Protocol):
    """True in the process that set `value` to 1, false in its forked children."""

    value: int

    def __bool__(self) -> bool: ...


class PidMark:
    """Compares pids, if the kernel cannot wipe memory on fork. Price: an `os.getpid` per check."""

    __slots__ = ("_pid",)

    def __init__(self) -> None:
        self._pid = 0

    @property
    def value(self) -> int:
        """1 if this process set the mark, otherwise 0."""
        return int(bool(self))

    @value.setter
    def value(self, is_set: int) -> None:
        self._pid = os.getpid() if is_set else 0

    def __bool__(self) -> bool:
        return self._pid == os.getpid()


def make_mark() -> ProcessMark:
    """Make a mark that is set in this process.

    On Linux it is a byte in a page that the kernel wipes in every forked child, whether Python or C
    forked it. Checking it costs 10 ns, a twentieth of a system call.
    """
    mark: ProcessMark = PidMark()
    if sys.platform == "linux":
        with suppress(OSError, ValueError):  # an older kernel, or an emulation of Linux
            page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            page.madvise(_WIPE_ON_FORK)
            mark = cast("ProcessMark", ctypes.c_byte.from_buffer(page))
    elif not hasattr(os, "fork"):
        mark = cast("ProcessMark", ctypes.c_byte())
    mark.value = 1
    return mark


NO_PICKLE = (
    "a monitor belongs to its process, so neither it nor what it watches can be pickled by value: "
    "make it in a module, which the other process imports by name, or inside the function that "
    "runs there"
)


class PerProcess:
    """An object that belongs to its process: copying returns the object itself, pickling fails."""

    __slots__ = ()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    def __reduce_ex__(self, _protocol: object) -> Any:
        raise TypeError(NO_PICKLE)


process_mark: ProcessMark = make_mark()
"""False in a forked child until its monitors have been restarted; the hot path checks it."""

_restarts: list[Callable[[], object]] = []
_restarting = threading.RLock()


_FORK_WAITS_SECONDS = 2.0

_importing = threading.RLock()
_forking: set[int] = set()  # threads that are forking and hold the lock meanwhile


@contextmanager
def hold_forks() -> Iterator[None]:
    """Import inside this context: other threads wait, for at most two seconds, before they fork."""
    with _importing:
        yield


def _before_fork() -> None:
    if _importing.acquire(timeout=_FORK_WAITS_SECONDS):
        _forking.add(threading.get_ident())


def _after_fork_in_parent() -> None:
    if threading.get_ident() in _forking:
        _forking.discard(threading.get_ident())
        _importing.release()


def on_fork(restart: Callable[[], object]) -> None:
    """Call `restart` in each forked child: right after `os.fork`, else at the next `check_fork`."""
    _restarts.append(restart)


def check_fork() -> None:
    """Restart everything registered if this process was forked since the last check."""
    if process_mark:
        return
    with _restarting:
        if not process_mark and _is_alone():
            # repairs Python's locks as `os.fork` does, and also runs our hook
            ctypes.pythonapi.PyOS_AfterFork_Child()
        if not process_mark:
            _restart_all()


def _is_alone() -> bool:
    """Whether the process has one native thread, so that no other thread can hold a lock."""
    try:
        return len(list(Path("/proc/self/task").iterdir())) == 1
    except OSError:
        return False


def _restart_all() -> None:
    global _importing  # noqa: PLW0603 - another thread of the parent may have held it
    _importing = threading.RLock()
    _forking.clear()
    for restart in _restarts:
        restart()
    process_mark.value = 1


def _restart_after_python_fork() -> None:
    """Restart without comparing pids: a child in its own namespace may have its parent's pid."""
    global _restarting  # noqa: PLW0603 - another thread of the parent may have held it
    _restarting = threading.RLock()
    _restart_all()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_restart_after_python_fork,
    )
