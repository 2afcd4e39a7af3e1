"""What `import mlmonitor` and the first prediction cost, compared with `import numpy, pydantic`."""

import os
import subprocess
import sys
from collections.abc import Iterator

from harness import Figure, in_turns, main

BASELINE = "import numpy, pydantic"
_TIMED = """
import sys, time
started = time.perf_counter()
{code}
print(time.perf_counter() - started, len(sys.modules))
"""
_FIRST = """
import mlmonitor
monitor = mlmonitor.Monitor("bench", exporters=[])
monitor.watch(lambda features: 0.5)({"x": 1.0})
monitor.close(timeout_seconds=0.1)
"""
# The first round, which does not count, writes the bytecode, as installing a package does.
_ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def run(code: str) -> tuple[float, int]:
    """Run `code` in a fresh interpreter; return milliseconds and the number of loaded modules."""
    command = [sys.executable, "-c", _TIMED.format(code=code)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=_ENVIRONMENT)
    took, modules = done.stdout.split()
    return float(took) * 1e3, int(modules)


def measure(is_quick: bool) -> Iterator[Figure]:  # noqa: FBT001 - what the harness hands over
    """Yield all figures of this benchmark; a quick run measures less."""
    ways = {
        "import mlmonitor": "import mlmonitor",
        "from mlmonitor import Monitor": "from mlmonitor import Monitor",
        "first recorded prediction, import included": _FIRST,
        BASELINE: BASELINE,
    }
    timings = in_turns(
        {name: lambda code=code: run(code)[0] for name, code in ways.items()},  # type: ignore[misc]
        rounds=5 if is_quick else 11,
    )
    base = timings[BASELINE].best
    for name in list(ways)[:-1]:
        yield Figure(name, timings[name].best, "ms", base, BASELINE, round(timings[name].spread, 3))
    modules = {name: run(code)[1] for name, code in ways.items()}
    yield Figure(
        "modules loaded by from mlmonitor import Monitor",
        modules["from mlmonitor import Monitor"],
        "modules",
        modules[BASELINE],
        BASELINE,
    )


if __name__ == "__main__":
    sys.exit(main("imports", measure, __doc__ or ""))
