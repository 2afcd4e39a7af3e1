"""New names that are known names in another spelling, and similar cases that are not."""

import pytest

from mlmonitor.compare.causes.spelling import describe_spelling

REGIONS = ("Northern", "Eastern", "Southern")
CODES = ("1234", "2045", "3310")


@pytest.mark.parametrize(
    ("known_names", "new", "description"),
    [
        (REGIONS, ["Northern ", "Eastern "], "with spaces added"),
        (REGIONS, [" Northern"], "with spaces added"),
        (["North  East"], ["North East"], "with spaces changed or removed"),
        (REGIONS, ["NORTHERN", "EASTERN"], "in another case, upper or lower"),
        (REGIONS, ["northern", "eastern"], "in another case, upper or lower"),
        (REGIONS, ["NORTHERN ", "EASTERN "], "in another case and with other spaces"),
        (CODES, ["1234.0", "2045.0"], "with '.0' added"),
        (["1234.0", "2045.0"], ["1234", "2045"], "with '.0' changed or removed"),
        (CODES, ["01234"], "with leading zeros added"),
        (CODES, ["'1234'"], "with quotes added"),
        (["north-east"], ["north_east"], "with other separators of words"),
        (["Köln", "Zürich"], ["KÃ¶ln", "ZÃ¼rich"], "in another character encoding"),
        (REGIONS, ["North", "South"], "truncated"),
    ],
)
def test_another_spelling_is_described(
    known_names: list[str], new: list[str], description: str
) -> None:
    """Each new name equals a known one once both are simplified."""
    assert describe_spelling(known_names, dict.fromkeys(new, 20)) == description


@pytest.mark.parametrize(
    ("known_names", "new"),
    [
        (REGIONS, ["Central", "Coastal"]),
        (REGIONS, ["South"]),
        (REGIONS, ["North", "Sout"]),
        (REGIONS, ["No", "So"]),
        (CODES, ["1234.5", "2045.5"]),
        (CODES, ["12340", "20450"]),
        (["A", "B"], ["C ", "D "]),
    ],
)
def test_different_names_are_not_taken_for_another_spelling(
    known_names: list[str], new: list[str]
) -> None:
    """Names are unrelated, share only a beginning, or are truncated at two lengths."""
    assert describe_spelling(known_names, dict.fromkeys(new, 20)) is None


def test_a_change_of_spelling_must_explain_nine_rows_in_ten() -> None:
    """A tenth of other names is allowed, and a third is not."""
    assert describe_spelling(REGIONS, {"Northern ": 90, "Coastal": 10}) == "with spaces added"
    assert describe_spelling(REGIONS, {"Northern ": 60, "Coastal": 30}) is None


def test_a_spelling_needs_ten_rows() -> None:
    """Nine are too few."""
    assert describe_spelling(REGIONS, {"Northern ": 9}) is None
    assert describe_spelling(REGIONS, {"Northern ": 10}) == "with spaces added"
