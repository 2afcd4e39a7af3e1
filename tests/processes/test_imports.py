"""If the worker imported while its process forks, a module would stay locked in the child."""

import subprocess
import sys
from pathlib import Path

from support.collector_sink import Sink
from support.served import Environment

EVERYTHING = """
import sys
from service import monitor, predict
before = set(sys.modules)
for i in range(2_000):
    predict({"amount": float(i), "line": "AB"[i % 2]})
    monitor.label("unknown", 1.0)
    monitor.kpi("savings", 1.0)
monitor.record({"amount": [1.0], "line": ["A"]}, [1.0], ids=["known"])
monitor.label("known", 1.0)
assert monitor.flush(timeout_seconds=60)
print(sorted(set(sys.modules) - before))
"""


def test_the_worker_imports_nothing_itself(
    sink: Sink, environment: Environment, tmp_path: Path
) -> None:
    """No module is added between the first record and a delivered export."""
    command = [sys.executable, "-c", EVERYTHING]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
    assert sink.total("mlmonitor.predictions", status="ok") == 2_001
