"""The modules of the demo, which is a folder of scripts and no package."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parents[2] / "examples" / "fastapi_app"


@contextmanager
def import_from_demo(*names: str) -> Iterator[list[ModuleType]]:
    """Import modules of the demo by name; at the end they are forgotten, with all they imported."""
    sys.path.insert(0, str(FOLDER))
    try:
        yield [import_module(name) for name in names]
    finally:
        sys.path.remove(str(FOLDER))
        for path in FOLDER.glob("*.py"):
            sys.modules.pop(path.stem, None)
