"""Run a Python module under the command `opentelemetry-instrument`."""

import os
import sys
from pathlib import Path

command = Path(sys.executable).with_name("opentelemetry-instrument")
os.execv(command, [str(command), sys.executable, "-m", *sys.argv[1:]])  # noqa: S606 - under test
