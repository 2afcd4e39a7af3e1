"""Generated pages are what their generator writes."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[1] / "docs"


def generator() -> ModuleType:
    """docs/generate.py, as a module."""
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    return generate


def test_the_page_of_metrics_is_the_catalogue() -> None:
    """`make docs` would change nothing."""
    page = (DOCS / "metrics.md").read_text(encoding="utf-8")
    assert page == generator().metrics_page()


def test_the_page_of_false_alarms_is_what_was_measured() -> None:
    """Neither would it here: the table is that of the results."""
    page = (DOCS / "false_alarms.md").read_text(encoding="utf-8")
    assert page == generator().false_alarms_page()


@pytest.mark.parametrize("page", sorted((DOCS / "algorithms").glob("*.md")), ids=lambda p: p.name)
def test_a_page_of_an_algorithm_links_to_what_is_there(page: Path) -> None:
    """Pages and figures exist; a figure is made by a script beside it, and is under 110 kB."""
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        target = page.parent / link
        assert target.exists(), link
        if target.suffix == ".png":
            assert target.with_suffix(".py").exists()
            assert target.stat().st_size < 110_000


def test_the_index_of_algorithms_names_every_page() -> None:
    """What is not in docs/algorithms/README.md is hard to find."""
    pages = {page.name for page in (DOCS / "algorithms").glob("*.md")} - {"README.md"}
    index = (DOCS / "algorithms" / "README.md").read_text(encoding="utf-8")
    assert {name for name in pages if f"]({name})" not in index} == set()
