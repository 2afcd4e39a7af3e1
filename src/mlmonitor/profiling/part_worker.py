"""A worker process that counts parts of a file: requests on standard input, answers on output.

Unlike `multiprocessing`, it pickles nothing and does not import the main program again.
"""

import json
import signal
import sys
from typing import BinaryIO

from mlmonitor import errors
from mlmonitor.errors import MonitorError
from mlmonitor.fleet.data_file import FilePart, read_part
from mlmonitor.profiling.counting_plan import CountingPlan
from mlmonitor.profiling.row_counting import RowCounting

ROWS, COUNTED, REFUSED = b"n", b"c", b"e"
"""Kinds of messages: rows counted since the last message, counts of a part, or an error."""

_LENGTH_BYTES = 8


def write_message(stream: BinaryIO, kind: bytes, data: bytes) -> None:
    """Write one message: its kind, its length, and its content."""
    stream.write(kind + len(data).to_bytes(_LENGTH_BYTES, "little") + data)
    stream.flush()


def read_message(stream: BinaryIO) -> tuple[bytes, bytes] | None:
    """Read one message: return its kind and its content, or None at the end of the stream."""
    head = stream.read(1 + _LENGTH_BYTES)
    if len(head) <= _LENGTH_BYTES:
        return None
    length = int.from_bytes(head[1:], "little")
    data = stream.read(length)
    return None if len(data) < length else (head[:1], data)


def encode_error(error: Exception) -> bytes:
    """Encode an error of this library by its type and its message, which never holds values."""
    return json.dumps([type(error).__name__, str(error)]).encode()


def decode_error(data: bytes) -> Exception:
    """Return an error of the same type and message, or an OSError if the type is not ours."""
    name, text = json.loads(data)
    kind: type[Exception] = getattr(errors, name, OSError)
    return kind(text)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Count parts until the input ends. The first message is the plan; the others name parts."""
    first = read_message(requests)
    if first is None:
        return
    plan = CountingPlan.from_bytes(first[1])
    kinds = plan.roles.kinds
    while (request := read_message(requests)) is not None:
        path, names, part = json.loads(request[1])
        try:
            counting = RowCounting(plan)
            before = 0
            for chunk in read_part(path, FilePart(*part), tuple(names), kinds):
                counting.update(plan.roles.split(chunk))
                write_message(answers, ROWS, str(counting.rows - before).encode())
                before = counting.rows
        except (MonitorError, OSError) as error:
            write_message(answers, REFUSED, encode_error(error))
        else:
            write_message(answers, COUNTED, counting.content().to_bytes(is_redacted=False))


def main() -> None:
    """Serve requests on standard input and output; all other output goes to standard error.

    Ctrl-C is ignored: the parent process handles it and ends this process.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers, sys.stdout = sys.stdout.buffer, sys.stderr
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
