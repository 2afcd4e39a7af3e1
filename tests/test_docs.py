"""Generated pages are what their generator writes."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture
def generate(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The generator, as `make docs` runs it."""
    monkeypatch.syspath_prepend(DOCS)
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules.pop("side_by_side", None)
    return module


def test_the_page_of_metrics_is_the_catalogue(generate: ModuleType) -> None:
    """`make docs` would change nothing."""
    assert (DOCS / "metrics.md").read_text(encoding="utf-8") == generate.metrics_page()


def test_the_guide_to_dynatrace_says_what_happens(generate: ModuleType) -> None:
    """The default exporter before the strict receiver, and ours beside it: run, not remembered."""
    page = (DOCS / "guides" / "dynatrace.md").read_text(encoding="utf-8")
    assert generate.dynatrace_page(page) == page
    assert "UNSUPPORTED_METRIC_TYPE_MONOTONIC_CUMULATIVE_SUM" in page


@pytest.mark.parametrize("page", ["destinations", "dynatrace"])
def test_the_examples_of_a_guide_run(page: str) -> None:
    """As they stand, without sending anything."""
    text = (DOCS / "guides" / f"{page}.md").read_text(encoding="utf-8")
    found = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert found
    for block in found:
        exec(compile(block, page, "exec"), {})  # noqa: S102 - our own page
