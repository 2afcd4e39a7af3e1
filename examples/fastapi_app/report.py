"""The output of the demo: a progress line while it runs, and tables at the end."""

import textwrap
import time
from collections.abc import Callable, Sequence
from datetime import date
from typing import TextIO

from sink import Received
from snapshot import ErrorSnapshot, FieldSnapshot, Snapshot

_BAR = 24
_SPARSE_SECONDS = 10.0


class Progress:
    """A line that is rewritten on a terminal; elsewhere, a new line every ten seconds."""

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._is_terminal = stream.isatty()
        self._pause = 0.1 if self._is_terminal else _SPARSE_SECONDS
        self._next = clock() + self._pause

    def show(
        self, share: float, *, day: date, predictions: int, labels: int, stored: Callable[[], int]
    ) -> None:
        """Print the progress, unless it was printed a moment ago; `stored` counts stored rows."""
        if self._clock() < self._next:
            return
        self._next = self._clock() + self._pause
        done = round(share * _BAR)
        bar = f"[{'#' * done}{'.' * (_BAR - done)}]"
        line = f"  {bar} {day}  {predictions:,} predictions, {labels:,} labels, "
        line += f"{stored():,} rows in the store"
        self._write(f"\r\033[K{line}" if self._is_terminal else f"{line}\n")

    def clear(self) -> None:
        """Erase the line before other output."""
        if self._is_terminal:
            self._write("\r\033[K")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def comparison(before: Snapshot, after: Snapshot) -> str:
    """Return a table of the fields in two windows, side by side."""
    head = ["field", "role", "mean", "psi", "threshold", "mean", "psi", "threshold", ""]
    earlier = {(field.role, field.name): field for field in before.fields}
    rows = [_field_row(earlier.get((field.role, field.name)), field) for field in after.fields]
    shown = table(head, rows, left=2)
    line = shown.partition("\n")[0]
    left, right = (at("threshold") + len("threshold") for at in (line.index, line.rindex))
    legend = "  threshold: one window in a hundred of this size exceeds it without drift"
    return f"{'before':>{left}}{'after':>{right - left}}\n{shown}\n{legend}"


def alerts(snapshot: Snapshot) -> str:
    """List the alerts, and the mix effects that explain the shift of the mean prediction."""
    mix = ", ".join(f"{name} {by:+,.0f}" for name, by in snapshot.mix.items())
    lines = list(snapshot.alerts) or ["none"]
    lines += [f"(the mean prediction moves by the mix of {mix})"] if mix else []
    return "\n".join(
        textwrap.fill(line, width=92, initial_indent="  ", subsequent_indent="    ")
        for line in lines
    )


def errors(before: ErrorSnapshot | None, after: ErrorSnapshot | None) -> str:
    """Return a table of the errors of predictions whose labels arrived in two windows."""
    head = ["labels that arrived", "matched", "MAE", "bias"]
    rows = [_error_row("before", before), _error_row("after", after)]
    return table(head, rows, left=1)


def receipt(received: Received) -> str:
    """List the requests, points and metrics that the collector has forwarded."""
    names = textwrap.fill(
        ", ".join(sorted(name.removeprefix("mlmonitor.") for name in received.names)),
        width=88,
        initial_indent="  mlmonitor.: ",
        subsequent_indent=" " * 14,
        break_on_hyphens=False,
    )
    return (
        f"  {received.requests:,} requests, {received.points:,} points, "
        f"{len(received.names)} metrics\n{names}"
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: int) -> str:
    """Return aligned columns; the first `left` columns are left-aligned, the others right-aligned.

    A last column without a heading holds remarks, and is also left-aligned.
    """
    every = [head, *rows]
    widths = [max(len(row[at]) for row in every) for at in range(len(head))]
    remark = len(head) - 1 if head[-1] == "" else len(head)
    lines = [
        "  "
        + "  ".join(
            cell.ljust(width) if at < left or at >= remark else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in every
    ]
    lines.insert(1, "  " + "-" * (max(map(len, lines)) - 2))
    return "\n".join(lines)


def _field_row(before: FieldSnapshot | None, after: FieldSnapshot) -> list[str]:
    sides = [cell for side in (before, after) for cell in _side(side)]
    return [after.name, after.role, *sides, "<- alert" if after.has_alert else ""]


def _side(field: FieldSnapshot | None) -> list[str]:
    if field is None:
        return ["-", "-", "-"]
    mean = "-" if field.mean is None else f"{field.mean:,.1f}"
    return [mean, _score(field.psi), _score(field.psi_threshold)]


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _error_row(name: str, errors: ErrorSnapshot | None) -> list[str]:
    if errors is None:
        return [name, "0", "-", "-"]
    return [name, f"{errors.count:,}", f"{errors.mae:,.0f}", f"{errors.bias:+,.0f}"]
