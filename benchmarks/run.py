"""All benchmarks, each in a process of its own: `make bench`, or `make bench-quick`.

The quick run repeats what exceeds a budget up to three times, and fails only where every time is
beyond one and a half times of it: it is made on machines that do other things as well.
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
    "parts",
    "imports",
    "memory",
    "accuracy",
    "export",
    "scale",
    "tail",
    "alerts",
)
# Not the tails: they are those of the machine, unless it does nothing else.
QUICK = ("capture", "worker", "imports", "memory", "accuracy", "export", "scale")
REPEATS = 3


def is_kept(name: str, *, is_quick: bool) -> bool:
    """Run one benchmark, quick ones again if need be."""
    command = [sys.executable, str(HERE / f"{name}.py"), *(["--quick"] if is_quick else [])]
    for _ in range(REPEATS if is_quick else 1):
        if subprocess.run(command, check=False).returncode == 0:
            return True
    return False


def main() -> int:
    """Run those asked for, or all; 1 where a budget was exceeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], default=[])
    options = parser.parse_args()
    failed = []
    for name in options.names or (QUICK if options.quick else BENCHMARKS):
        started = time.monotonic()
        if not is_kept(name, is_quick=options.quick):
            failed.append(name)
        print(f"{name}: {time.monotonic() - started:.0f} s\n", flush=True)
    if failed:
        print(f"beyond their budgets: {', '.join(failed)}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
