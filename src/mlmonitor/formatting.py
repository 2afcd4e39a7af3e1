"""Format numbers, names and tables for a terminal."""

import math
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

_ZERO_WIDTH = ("Mn", "Me", "Cf")
_DUST = 1e-12
_ALIKE = 1e-6
_EPOCH = datetime.fromtimestamp(0, UTC)


def short(number: float | None) -> str:
    """Format with four significant digits, or a dash if the number is not finite."""
    if number is None or not math.isfinite(number):
        return "-"
    if number == 0 or 0.001 <= abs(number) < 999.95:
        return f"{number:.4g}"
    if 999.95 <= abs(number) < 999_999.5:
        return f"{number:,.0f}"
    return f"{number:.2e}"


def write_apart(numbers: Sequence[float]) -> list[str]:
    """Format ascending numbers with the fewest digits (at least four) that distinguish them.

    Numbers that differ by less than a millionth of their size may be formatted alike.
    """
    distinct = 1 + sum(b - a > _ALIKE * max(abs(a), abs(b)) for a, b in pairwise(numbers))
    texts = [_format_in_full(number, 4) for number in numbers]
    for digits in range(5, 17):
        if len(set(texts)) >= distinct:
            break
        texts = [_format_in_full(number, digits) for number in numbers]
    return texts


def _format_in_full(number: float, digits: int) -> str:
    """Format with this many digits, and an exponent only if necessary: 20,000, 0.0001, 3e+20."""
    if number == 0 or not 1e-4 <= abs(number) < 1e15:
        return f"{number:.{digits}g}"
    decimals = max(digits - 1 - math.floor(math.log10(abs(number))), 0)
    text = f"{number:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def signed(number: float) -> str:
    """Format a change, with its sign."""
    return f"+{short(number)}" if number > 0 else short(number)


def zero_if_rounding(number: float | None, *, scale: float | None) -> float | None:
    """Return `number`, or 0 if it is within the rounding error of values as large as `scale`."""
    if number is None or scale is None or not math.isfinite(scale):
        return number
    return 0.0 if abs(number) < _DUST * scale else number


def share(count: int, total: int) -> str:
    """Format a share of `total` in percent; only a count of 0 is 0%, and only `total` is 100%."""
    return percent(count / total)


def percent(fraction: float) -> str:
    """Format a fraction from 0 to 1 in percent; only 0 becomes 0%, and only 1 becomes 100%."""
    hundredths = 100 * fraction
    if 0 < hundredths < 0.1:
        return "<0.1%"
    return ">99.9%" if 99.9 < hundredths < 100 else f"{hundredths:.3g}%"


def counted(count: int) -> str:
    """Format a count exactly, or in millions if that is too long."""
    if count < 10_000_000:
        return f"{count:,}"
    return f"{count / 1e6:,.0f} M" if count < 10_000_000_000 else short(count)


def amount(count: int, noun: str) -> str:
    """Format a count with its noun, in the plural unless the count is 1."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def write_sentence(clause: str) -> str:
    """Return a non-empty clause as a sentence, with a capital and a full stop."""
    return f"{clause[0].upper()}{clause[1:]}."


def duration(seconds: float) -> str:
    """Format a duration with three digits and a suitable unit."""
    if not math.isfinite(seconds):
        return "-"
    for unit, size in (("d", 86_400.0), ("h", 3_600.0), ("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            number = seconds / size
            return f"{short(round(number)) if number >= 999.5 else f'{number:.3g}'} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def day(seconds: float | None) -> str:
    """Format a time in seconds since 1970 as a date; a dash for None."""
    if seconds is None or not math.isfinite(seconds):
        return "-"
    try:
        return (_EPOCH + timedelta(seconds=seconds)).date().isoformat()
    except OverflowError:  # beyond the years 1 to 9999
        return short(seconds)


def moment(seconds: float) -> str:
    """Format a time in seconds since 1970 as a UTC date and time, like `2026-01-31 12:00:00`."""
    try:
        date = (_EPOCH + timedelta(seconds=seconds)).replace(microsecond=0, tzinfo=None)
    except OverflowError:
        return short(seconds)
    return date.isoformat(" ")


def join_counts(counts: Mapping[str, int], *, most: int) -> str:
    """List up to `most` names with their counts, then how many more names there are."""
    listed = ", ".join(
        f"{truncate(name, 40)} {count:,}" for name, count in list(counts.items())[:most]
    )
    return f"{listed} and {len(counts) - most} more" if len(counts) > most else listed


def truncate(name: str, width: int) -> str:
    """Return `name` on one line, no wider than `width`."""
    plain = "".join(c if c.isprintable() or c in "\u200d\ufe0f" else "\ufffd" for c in name)
    if wide(plain) <= width:
        return plain
    kept = ""
    for character in plain:
        if wide(kept + character) > width - 1:
            break
        kept += character
    return f"{kept}…"


def wide(text: str) -> int:
    """Return the number of terminal columns of `text`."""
    return sum(_count_columns(character) for character in text)


def _count_columns(character: str) -> int:
    if unicodedata.category(character) in _ZERO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def table(rows: Sequence[Sequence[str]], *, left: Collection[int]) -> list[str]:
    """Return aligned lines with a rule below the first. left: indices of left-aligned columns."""
    widths = [max(map(wide, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = []
        for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
            blank = " " * (width - wide(cell))
            cells.append(cell + blank if column in left else blank + cell)
        lines.append("  ".join(cells).rstrip())
    return [lines[0], "-" * max(map(wide, lines)), *lines[1:]]


def describe_kind(value: object) -> str:
    """Name the type of an unexpected value; say so if a class was passed instead of an instance."""
    if isinstance(value, type):
        return f"the class {value.__name__}, not an instance"
    return type(value).__name__


def find_similar(name: object, names: Iterable[object], *, most: int = 1) -> list[str]:
    """Return up to `most` of the names that a misspelt name may mean, the most similar first.

    Case, spaces and punctuation are ignored: `Claim Amount` may mean `claim_amount`.
    """
    from difflib import get_close_matches  # rarely needed, and slow to import

    by_key: dict[str, str] = {}
    for text in sorted(map(str, names)):
        by_key.setdefault(_simplify(text), text)
    return [by_key[key] for key in get_close_matches(_simplify(str(name)), by_key, n=most)]


def _simplify(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum()) or name


def ask_similar(name: object, names: Iterable[object]) -> str:
    """Return `; did you mean '...'?` with the most similar name; empty if none is similar."""
    return "".join(f"; did you mean {similar!r}?" for similar in find_similar(name, names))
