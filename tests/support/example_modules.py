"""Import the modules of the demo, which is a folder of scripts and not a package."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parents[2] / "examples" / "fastapi_app"


@contextmanager
def import_from_demo(*names: str) -> Iterator[list[ModuleType]]:
    """Import modules of the demo by name; unload all of the demo's modules at the end."""
    sys.path.insert(0, str(FOLDER))
    try:
        yield [import_module(name) for name in names]
    finally:
        sys.path.remove(str(FOLDER))
        for path in FOLDER.glob("*.py"):
            sys.modules.pop(path.stem, None)
