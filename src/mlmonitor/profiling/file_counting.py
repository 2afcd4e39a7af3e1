"""Count the rows of a file part by part, in one process or several, with the same result."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from queue import SimpleQueue
from threading import Lock
from typing import Self

from mlmonitor.display.progress import ProgressLine
from mlmonitor.errors import ConfigError, MonitorError
from mlmonitor.fleet.data_file import FilePart, SplitFile, read_part
from mlmonitor.fleet.profile_content import ProfileContent
from mlmonitor.profiling.counting_plan import CountingPlan
from mlmonitor.profiling.part_worker import (
    COUNTED,
    REFUSED,
    ROWS,
    decode_error,
    read_message,
    write_message,
)
from mlmonitor.profiling.row_counting import RowCounting

Counted = Callable[[int], None]
_HERE = None
"""Stands for this process in the queue of idle workers."""


def count_file(
    plan: CountingPlan, path: str, file: SplitFile, *, workers: int | None
) -> ProfileContent:
    """Count a file part by part, and merge the parts in order, with a progress line.

    Promise: the result does not depend on the number of workers.
    Price: each worker needs a second of CPU to start; this process already counts meanwhile. A file
        of one part is counted in this process only.

    Raises:
        ConfigError: `workers` is not None or a positive integer.
        MonitorError, OSError: a part cannot be counted.
    """
    size = min(_check_workers(workers), len(file.parts))
    done, lock = 0, Lock()
    with ProgressLine("counting rows", file.rows) as line, ExitStack() as stack:

        def count_rows(rows: int) -> None:
            nonlocal done
            with lock:  # a thread for each worker
                done += rows
                line.update(done)

        if size <= 1 or not _has_interpreter():
            counted: Iterator[ProfileContent] = (
                _count_part(plan, path, file, part, count_rows) for part in file.parts
            )
        else:
            pool = stack.enter_context(_WorkerPool(plan, path, file, size, count_rows))
            counted = pool.count()
        whole = RowCounting(plan).content()
        for content in counted:
            whole.merge(content)
    return whole


def _has_interpreter() -> bool:
    """Whether `sys.executable` starts Python; in a frozen program it would start the program."""
    return bool(sys.executable) and not getattr(sys, "frozen", False)


def _check_workers(workers: int | None) -> int:
    if workers is None:
        if hasattr(os, "sched_getaffinity"):  # not on every system
            return len(os.sched_getaffinity(0))
        count = os.cpu_count()
        return 1 if count is None else count
    if type(workers) is not int or workers < 1:
        raise ConfigError("workers: expected 1 or more, or None for all cores")
    return workers


def _count_part(
    plan: CountingPlan, path: str, file: SplitFile, part: FilePart, count_rows: Counted
) -> ProfileContent:
    counting, roles, before = RowCounting(plan), plan.roles, 0
    for chunk in read_part(path, part, file.names, roles.kinds):
        counting.update(roles.split(chunk))
        count_rows(counting.rows - before)
        before = counting.rows
    return counting.content()


class _WorkerPool:
    """Counts parts in `part_worker` processes, each driven by a thread, and in this process."""

    def __init__(
        self, plan: CountingPlan, path: str, file: SplitFile, size: int, count_rows: Counted
    ) -> None:
        # Not importable at interpreter exit, when profiles may still be used.
        from concurrent.futures import ThreadPoolExecutor

        self._path, self._file, self._count_rows = path, file, count_rows
        self._idle: SimpleQueue[subprocess.Popen[bytes] | None] = SimpleQueue()
        self._processes = [_start_worker() for _ in range(size - 1)]
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="mlmonitor-parts")
        self._plan = plan

    def __enter__(self) -> Self:
        content = self._plan.to_bytes()
        for process in self._processes:
            self._idle.put(process)
            with suppress(BrokenPipeError):  # it has ended: `_count_in` raises for its first part
                self._ask(process, ROWS, content)
        self._idle.put(_HERE)
        return self

    def __exit__(self, *_error: object) -> None:
        for process in self._processes:
            process.kill()
        self._threads.shutdown(cancel_futures=True)
        for process in self._processes:
            process.communicate()

    def count(self) -> Iterator[ProfileContent]:
        """Yield the counts of all parts in order."""
        yield from self._threads.map(self._count, self._file.parts)

    def _count(self, part: FilePart) -> ProfileContent:
        process = self._idle.get()
        try:
            if process is _HERE:
                return _count_part(self._plan, self._path, self._file, part, self._count_rows)
            return self._count_in(process, part)
        finally:
            self._idle.put(process)

    def _count_in(self, process: "subprocess.Popen[bytes]", part: FilePart) -> ProfileContent:
        request = json.dumps([os.path.abspath(self._path), self._file.names, part])  # noqa: PTH100
        with suppress(BrokenPipeError):  # it has ended, so `read_message` returns None
            self._ask(process, COUNTED, request.encode())
        while True:
            answer = None if process.stdout is None else read_message(process.stdout)  # type: ignore[arg-type]  # a binary pipe
            if answer is None:
                raise MonitorError("a process that counted part of the file ended early")
            kind, data = answer
            if kind == REFUSED:
                raise decode_error(data)
            if kind == ROWS:
                self._count_rows(int(data))
                continue
            content = ProfileContent.from_bytes(data)
            if content is not None:
                return content

    @staticmethod
    def _ask(process: "subprocess.Popen[bytes]", kind: bytes, data: bytes) -> None:
        if process.stdin is not None:
            write_message(process.stdin, kind, data)  # type: ignore[arg-type]  # a binary pipe


def _start_worker() -> "subprocess.Popen[bytes]":
    """Start a worker with this process's import path, and with one thread for numeric libraries."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return subprocess.Popen(
        [sys.executable, "-m", "mlmonitor.profiling.part_worker"],
        env={**os.environ, **threads, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
