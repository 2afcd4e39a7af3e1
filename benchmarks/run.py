"""All benchmarks, each in a process of its own: `make bench`, or `make bench-quick`.

The quick run fails only if a benchmark does not run. It prints which budgets were exceeded but
does not fail for them, because its machine may be busy with other things.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
BENCHMARKS: tuple[str, ...] = (
    "capture",
    "worker",
    "columns",
    "parts",
    "imports",
    "memory",
    "labels",
    "live_page",
    "loader",
    "events",
    "fit",
    "accuracy",
    "export",
    "scale",
    "fleet_scale",
    "tail",
    "alerts",
)
# Without `tail`: on a busy machine, the slowest requests measure the machine.
QUICK = (
    "capture",
    "worker",
    "columns",
    "imports",
    "memory",
    "labels",
    "live_page",
    "fit",
    "accuracy",
    "export",
    "scale",
    "fleet_scale",
)


def succeeds(name: str, *, is_quick: bool) -> bool:
    """Run one benchmark; return False if it failed or, unless it is quick, exceeded a budget."""
    command = [sys.executable, str(HERE / f"{name}.py"), *(["--quick"] if is_quick else [])]
    return subprocess.run(command, check=False).returncode == 0


def main() -> int:
    """Run the named benchmarks, or all; return 1 if any failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], default=[])
    options = parser.parse_args()
    failed = []
    for name in options.names or (QUICK if options.quick else BENCHMARKS):
        started = time.monotonic()
        if not succeeds(name, is_quick=options.quick):
            failed.append(name)
        print(f"{name}: {time.monotonic() - started:.0f} s\n", flush=True)
    if failed:
        what = "did not run" if options.quick else "failed or exceeded a budget"
        print(f"{what}: {', '.join(failed)}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
