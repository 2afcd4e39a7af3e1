"""Fit references faster, for tests that do not read simulated thresholds."""

from functools import partial
from typing import Any
from unittest import mock

from mlmonitor import Reference
from mlmonitor.reference.fitting import field_sample

fit_reference = partial(Reference.fit, thresholds="asymptotic")
"""`Reference.fit` with asymptotic thresholds: the same entries in a tenth of the time.

A test that reads simulated thresholds calls `Reference.fit` itself.
"""


def fit_without_thresholds(*args: Any, **options: Any) -> Reference:
    """Call `Reference.fit` without thresholds, which a monitor would have to simulate."""
    with mock.patch.object(field_sample, "critical_tables", return_value={}):
        return fit_reference(*args, **options)
