"""References for tests that do not read simulated thresholds: most of them."""

from functools import partial

from mlmonitor import Reference

fit_reference = partial(Reference.fit, thresholds="asymptotic")
"""`Reference.fit` with formulas for thresholds: the same entries, a tenth of the time.

A test that reads simulated thresholds calls `Reference.fit` itself.
"""
