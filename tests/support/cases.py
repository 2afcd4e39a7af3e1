"""Cases of a long test of which a few run every time."""

from collections.abc import Iterable
from typing import Any

import pytest


def short_form(cases: Iterable[Any], *always: Any) -> list[Any]:
    """All cases for `parametrize`: those of `always` as they are, the others marked `slow`."""
    return [
        case if any(case is one or case == one for one in always) else slow_case(case)
        for case in cases
    ]


def slow_case(case: Any) -> Any:
    """One case that only `make test-slow` runs; a tuple is its several arguments."""
    values = case if isinstance(case, tuple) else (case,)
    return pytest.param(*values, marks=pytest.mark.slow)


def name_typed(value: object) -> str:
    """A value as the name of a case, with its type: numpy 1 shows its scalars as Python's."""
    return f"{type(value).__name__} {value!r}"
