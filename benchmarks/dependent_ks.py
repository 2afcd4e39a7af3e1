"""False alerts and delays on dependent rows: ours beside a KS test with Bonferroni's correction.

The streams of `dependence.py`, five features and a reference of 20,000 rows. The test compares each
1,000 rows with the reference and flags a field at p < 0.05 / 5, as windowed monitors do by default.
A model has a false alert if any field is flagged in 20,000 rows without drift. A shift moves one
field from the first row on. Intervals are Clopper and Pearson's, 95 %.

    python benchmarks/dependent_ks.py --models 20        # about three minutes
"""

import argparse
from functools import partial

import numpy as np
from scipy import stats

import dependence
from dependence import NEVER, REFERENCE_ROWS, ROWS, Kind
from mlmonitor.testing import streams

WINDOW, LEVEL, SHIFT = 1_000, 0.05, 0.25
KINDS = (
    Kind("independent", streams.independent),
    Kind("groups of 5, in runs", partial(streams.grouped, size=5)),
    Kind("groups of 5, in runs", partial(streams.grouped, size=5), "groups"),
    Kind("autoregressive, 0.9", partial(streams.autoregressive, correlation=0.9)),
    Kind("days that differ by 0.1 sd", partial(streams.varying_days, deviation=0.1), "times"),
)


def shift(stream: streams.Stream) -> streams.Stream:
    """The same rows with one field moved."""
    return stream.with_column("x0", stream.columns["x0"] + SHIFT)


def ks_alert(kind: Kind, model: int, *, is_shifted: bool) -> int:
    """The rows after which the test flags any field of one model; `NEVER` if it does not."""
    reference = dependence.heavy(kind.make(REFERENCE_ROWS, seed=2 * model))
    later = dependence.heavy(kind.make(ROWS, seed=2 * model + 1))
    later = shift(later) if is_shifted else later
    for start in range(0, ROWS, WINDOW):
        for name, trained in reference.columns.items():
            window = later.columns[name][start : start + WINDOW]
            if stats.ks_2samp(trained, window).pvalue < LEVEL / len(reference.columns):
                return start + WINDOW
    return NEVER


def describe(calm: list[int], shifted: list[int]) -> str:
    """Models that alert without drift, their interval, and the median rows to a shift."""
    alerted, models = sum(rows < NEVER for rows in calm), len(calm)
    interval = stats.binomtest(alerted, models).proportion_ci()
    median = int(np.median(shifted))
    delay = "later" if median >= NEVER // 2 else f"{median:,}"
    return f"{alerted} of {models} | {interval.low:.1%} to {interval.high:.1%} | {delay}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=20)
    models = range(parser.parse_args().models)
    print("| rows | monitor | models that alert | 95 % interval | rows until +0.25 sd is flagged |")
    print("|---|---|--:|--:|--:|")
    for kind in KINDS:
        declared = f", `{kind.declared}=`" if kind.declared else ""
        ours = [
            [dependence.alert_of(kind, model, change) for model in models]
            for change in (dependence.keep, shift)
        ]
        print(f"| {kind.name} | mlmonitor{declared} | {describe(*ours)} |", flush=True)
        if kind.declared == "groups":
            continue
        ks = [[ks_alert(kind, m, is_shifted=moved) for m in models] for moved in (False, True)]
        print(f"| {kind.name} | KS, Bonferroni | {describe(*ks)} |", flush=True)


if __name__ == "__main__":
    main()
