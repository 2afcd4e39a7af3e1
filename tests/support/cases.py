"""Mark most cases of a long test as slow, so that a few run every time."""

from collections.abc import Iterable
from typing import Any

import pytest


def short_form(cases: Iterable[Any], *always: Any) -> list[Any]:
    """Return all cases for `parametrize`; those not in `always` are marked `slow`."""
    return [
        case if any(case is one or case == one for one in always) else slow_case(case)
        for case in cases
    ]


def slow_case(case: Any) -> Any:
    """Mark a case to run only in `make test-slow`; a tuple holds several arguments."""
    values = case if isinstance(case, tuple) else (case,)
    return pytest.param(*values, marks=pytest.mark.slow)


def name_typed(value: object) -> str:
    """Name a case by its value and type, because numpy 1 prints its scalars like Python's."""
    return f"{type(value).__name__} {value!r}"
