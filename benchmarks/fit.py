"""What the first `Reference.fit` of a process costs: 100,000 rows of 40 mixed columns.

Each fit runs in a fresh process, without counting imports, because thresholds are cached: a later
fit would be cheaper than the single fit of a training job.
"""

import subprocess
import sys
from collections.abc import Iterator

from harness import Figure, allow, in_turns, main, measure_pace

ROWS, PACE = 100_000, "pace"
BUDGET_SECONDS = {"simulated": 3.0, "asymptotic": 1.0}

_FIT = """
import time
import narwhals, numpy as np, pandas as pd
from mlmonitor import Reference
rng = np.random.default_rng(0)
columns = {{}}
for at in range(20):
    normal, skewed = rng.normal(at, 1 + at, {rows}), rng.lognormal(0, 1, {rows})
    columns[f"number{{at}}"] = normal if at % 2 else skewed
for at in range(5):
    columns[f"count{{at}}"] = rng.poisson(3 + at, {rows})
    columns[f"gaps{{at}}"] = np.where(rng.random({rows}) < 0.1, np.nan, rng.random({rows}))
for at in range(8):
    names = np.array([f"name{{place}}" for place in range(4 + 10 * at)])
    columns[f"category{{at}}"] = names[np.minimum(rng.zipf(1.5, {rows}), names.size) - 1]
for at in range(2):
    columns[f"truth{{at}}"] = rng.random({rows}) < 0.3
frame = pd.DataFrame(columns)
started = time.process_time()
Reference.fit(frame, thresholds={thresholds!r})
print(time.process_time() - started)
"""


def seconds_of(thresholds: str) -> float:
    """Return the CPU seconds of one fit in a process of its own."""
    code = _FIT.format(rows=ROWS, thresholds=thresholds)
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return float(done.stdout)


def measure(is_quick: bool) -> Iterator[Figure]:  # noqa: FBT001 - what the harness hands over
    """Yield all figures of this benchmark; a quick run measures less."""
    timings = in_turns(
        {
            PACE: measure_pace,
            **{name: lambda name=name: seconds_of(name) for name in BUDGET_SECONDS},  # type: ignore[misc]
        },
        rounds=2 if is_quick else 5,
    )
    pace = timings[PACE].best
    for name, seconds in BUDGET_SECONDS.items():
        allowed = allow(seconds, "s", pace=pace)
        yield Figure(f"{name} thresholds", timings[name].best, "s", *allowed, timings[name].spread)


if __name__ == "__main__":
    sys.exit(main("fit", measure, __doc__ or ""))
