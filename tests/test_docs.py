"""Generated pages equal what their generator writes."""

import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


@pytest.fixture
def generate(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The generator module that `make docs` runs."""
    monkeypatch.syspath_prepend(DOCS / "build")
    spec = importlib.util.spec_from_file_location("generate", DOCS / "build" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("side_by_side", "false_alerts", "power_page"):
        sys.modules.pop(name, None)
    return module


def test_the_page_of_metrics_shows_the_catalogue(generate: ModuleType) -> None:
    """`make docs` would change nothing."""
    assert (DOCS / "metrics.md").read_text(encoding="utf-8") == generate.metrics_page()


def test_the_page_of_options_shows_the_configuration(generate: ModuleType) -> None:
    """Every option has a row with its default and its environment variable."""
    page = (DOCS / "configuration.md").read_text(encoding="utf-8")
    assert page == generate.configuration_page()
    assert "| `window_slices` | int | 60 | at least 1, at most 10,000 |" in page
    assert "`MLMONITOR_WINDOW_ROWS`" in page


def test_the_guide_to_dynatrace_shows_what_a_strict_receiver_answers(generate: ModuleType) -> None:
    """Both OpenTelemetry's exporter and ours are run against it."""
    page = (DOCS / "guides" / "dynatrace.md").read_text(encoding="utf-8")
    assert generate.dynatrace_page(page) == page
    assert "UNSUPPORTED_METRIC_TYPE_MONOTONIC_CUMULATIVE_SUM" in page


@pytest.mark.parametrize("page", ["challengers", "classifiers", "destinations", "dynatrace"])
def test_the_examples_of_a_guide_run(page: str) -> None:
    """They run unchanged, and send nothing."""
    text = (DOCS / "guides" / f"{page}.md").read_text(encoding="utf-8")
    matches = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert matches
    for block in matches:
        exec(compile(block, page, "exec"), {})  # noqa: S102 - our own page


def test_the_example_of_the_guide_to_references_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It saves the reference in a temporary folder."""
    monkeypatch.chdir(tmp_path)
    text = (DOCS / "guides" / "references.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(block, "references", "exec"), {})  # noqa: S102 - our own page
    assert (tmp_path / "reference.json").exists()


def test_the_example_of_the_guide_to_dask_runs() -> None:
    """`tests/spark` runs the example of the guide to Spark."""
    pytest.importorskip("dask.dataframe", exc_type=ImportError)
    text = (DOCS / "guides" / "spark_and_dask.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"## Dask\n\n```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(block, "spark_and_dask", "exec"), names)  # noqa: S102 - our own page
    by_line = names["rows"]["line"].value_counts()
    assert {line: own.rows for (line,), own in names["lines"].items()} == by_line.to_dict()
    assert names["whole"].rows == len(names["rows"])


def test_the_examples_of_the_live_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is served on this machine and written to a file."""
    monkeypatch.chdir(tmp_path)
    text = (DOCS / "guides" / "live_page.md").read_text(encoding="utf-8")
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(block, "live_page", "exec"), {})  # noqa: S102 - our own page
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", "report.json"}


def test_the_page_about_false_alerts_shows_the_measured_rates(generate: ModuleType) -> None:
    """The table shows the stored results."""
    page = (DOCS / "false_alerts.md").read_text(encoding="utf-8")
    assert page == generate.false_alerts_page()


def test_the_page_of_power_shows_the_measured_delays(generate: ModuleType) -> None:
    """The tables show the results that `make bench-power` writes."""
    page = (DOCS / "power.md").read_text(encoding="utf-8")
    assert page == generate.power_page()


def pages() -> list[Path]:
    """Return every page of the repository that is written for people."""
    folders = ("*.md", "docs/**/*.md", "examples/*/*.md", "changelog.d/*.md")
    return sorted(page for folder in folders for page in ROOT.glob(folder))


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_to_existing_files(page: Path) -> None:
    """Figures have a script and are below 110 kB; screenshots are below 300 kB."""
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        target = page.parent / link
        assert target.exists(), link
        if target.parent.name == "screenshots":
            assert target.stat().st_size < 300_000
            assert target.stem in (DOCS / "build" / "screenshots.py").read_text(encoding="utf-8")
        elif target.suffix == ".png":
            assert target.with_suffix(".py").exists()
            assert target.stat().st_size < 110_000


@pytest.mark.parametrize("folder", ["algorithms", "guides"])
def test_an_index_names_every_page_of_its_folder(folder: str) -> None:
    """A page that is in neither index would be hard to find."""
    pages = {page.name for page in (DOCS / folder).glob("*.md")} - {"README.md"}
    index = (DOCS / folder / "README.md").read_text(encoding="utf-8")
    assert {name for name in pages if f"]({name})" not in index} == set()


def test_a_fragment_of_the_changelog_says_what_kind_of_change_it_is() -> None:
    """A fragment with another name would never be released (changelog.d/README.md)."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    kinds = [kind["directory"] for kind in settings["tool"]["towncrier"]["type"]]
    names = {path.name for path in (ROOT / "changelog.d").iterdir()} - {"README.md"}
    pattern = re.compile(rf"\+[a-z0-9-]+\.({'|'.join(kinds)})\.md")
    assert {name for name in names if not pattern.fullmatch(name)} == set()
    start = settings["tool"]["towncrier"]["start_string"]
    assert start in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
