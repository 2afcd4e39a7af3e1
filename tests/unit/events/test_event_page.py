"""The documentation page of the event log is complete and right."""

import re
from pathlib import Path

import pytest

from mlmonitor.formats.events import EVENT_MODELS, decode_events

PAGE = (Path(__file__).parents[3] / "docs" / "event_log.md").read_text(encoding="utf-8")


def test_every_field_of_every_event_schema_is_on_the_page() -> None:
    """It is listed with its schema or with the envelope."""
    envelope = PAGE.partition("## The envelope")[2].partition("## The schemas")[0]
    for schema, model in EVENT_MODELS.items():
        part = PAGE.partition(f"### {schema}\n")[2].partition("\n### ")[0]
        names = set(re.findall(r"`(\w+)`", envelope + part))
        assert set(model.model_fields) - {"schema_name"} <= names, schema


def test_the_examples_of_the_event_log_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They run unchanged, and the first one writes a file of events."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KAFKA_PASSWORD", "of-a-test")
    first, second = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(first, "event_log", "exec"), {})  # noqa: S102 - our own page
    exec(compile(second, "event_log", "exec"), {})  # noqa: S102 - our own page
    (path,) = tmp_path.glob("events/*.jsonl")
    schemas = [event["schema"] for event in decode_events(path.read_bytes().splitlines())]  # type: ignore[index]  # none is refused
    assert schemas.count("prediction") == 1
    assert schemas.count("reference") == 3
