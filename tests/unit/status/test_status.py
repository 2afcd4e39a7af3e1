"""The printed status."""

import json
import math
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmonitor import FieldStatus, Kind, Quality, Role, Status
from mlmonitor.aggregate.outcomes.outcome_plan import OutcomePlan
from mlmonitor.aggregate.outcomes.outcome_tables import OutcomeTables
from mlmonitor.aggregate.sketches.heavy_hitters import Hitter
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.performance.performance import Performance
from mlmonitor.formatting import wide
from mlmonitor.status.field_status import MOVED_PSI, TrainingStats

GOOD = dict.fromkeys(Quality, 0) | {Quality.VALID: 1_000}


def field(name: str = "claimed_amount", **options: Any) -> FieldStatus:
    """Return a numeric field with all of its statistics."""
    numbers: dict[str, Any] = {
        "mean": 8_186.25,
        "stddev": 9_804.0,
        "min": 12.5,
        "max": 98_765.0,
        "quantiles": {0.05: 1_118.0, 0.5: 4_963.0, 0.95: 24_777.0},
        "psi": 0.0123,
        "jensen_shannon": 0.0456,
        "psi_threshold": 0.02,
    }
    options = {
        "role": Role.FEATURE,
        "kind": Kind.NUMERIC,
        "count": 1_000,
        "quality": GOOD,
    } | options
    return FieldStatus(name, **(numbers | {"window_quality": options["quality"]} | options))


def blank(name: str, **options: Any) -> FieldStatus:
    """Return a field without any statistics."""
    nothing = dict.fromkeys(("mean", "stddev", "min", "max", "psi", "jensen_shannon"))
    return field(name, **(nothing | {"quantiles": {}, "count": 0, "psi_threshold": None} | options))


def labelled(count: int, *, mae: float, rmse: float, bias: float) -> Performance:
    """Return the performance of a regression with these measures."""
    tables = OutcomeTables(OutcomePlan("regression"), 1)
    sums = {"n": count, "abs": count * mae, "e2": count * rmse**2, "e": count * bias}
    for term, value in sums.items():
        tables.regression.table[tables.regression.TERMS.index(term)] = value
    return Performance(tables)


WATCHING = Status(
    model="claims-severity",
    version="7",
    state="watching",
    predictions=12_345,
    errors={"ValueError": 3},
    window_rows=10_000,
    reference_rows=4_000,
    latency_seconds={0.5: 0.0012, 0.99: 0.03},
    fields=(
        field(),
        field("age", psi=0.412, quality=GOOD | {Quality.MISSING: 12, Quality.NEW_CATEGORY: 0}),
        field("prediction", role=Role.PREDICTION, psi=0.15, psi_threshold=0.2),
        blank("line", kind=Kind.CATEGORICAL, psi=0.2, new_categories=(Hitter("caravan", 80, 0),)),
    ),
    unknown_fields={"extra": 5},
    labels={"matched": 95, "late": 0},
    performance=labelled(95, mae=3_772.0, rmse=5_876.0, bias=12.0),
    exports={"collector": {"accepted": 463, "failed": 0}},
    memory_bytes=14_000_000,
)


def test_the_text_of_a_status_summarises_a_healthy_and_an_unhealthy_service() -> None:
    """Traffic, invalid values, new names, labels and exports have one line each."""
    text = str(WATCHING)
    assert text.startswith("claims-severity 7: watching; reference of 4,000 rows\n")
    assert "12,345 predictions, 3 failed (ValueError 3), 10,000 in the window" in text
    assert "latency p50 1.2 ms, p99 30 ms" in text
    assert "no alerts: 4 fields compared with training" in text
    assert "invalid in age: missing 12\n" in text
    assert "new in line: caravan 80" in text
    assert "fields the reference does not know: extra 5" in text
    assert "performance on 95 labelled: MAE 3,772, RMSE 5,876, bias 12" in text
    assert "exported to collector: accepted 463, failed 0 points" in text
    assert "0 rows dropped, 0 internal errors" in text


def test_no_value_of_a_row_is_in_the_repr_of_a_status() -> None:
    """Category names, quantiles and extremes are shown on request, never by accident."""
    alert = firing(field="line", reason="caravan: 1% before, 30% now")
    text = repr(replace(WATCHING, alerts=(alert,)))
    assert "'line'" in text
    for secret in ("caravan", "98765", "4963", "4,963"):
        assert secret not in text
    assert "caravan" in str(alert)


def test_a_field_has_moved_only_if_psi_exceeds_its_tolerance_and_its_threshold() -> None:
    """Both are required, so that neither a small window nor a small effect counts."""
    assert field(psi=MOVED_PSI + 0.01, psi_threshold=0.02).has_moved
    assert not field(psi=MOVED_PSI - 0.01, psi_threshold=0.02).has_moved
    assert not field(psi=0.3, psi_threshold=0.4).has_moved
    assert not field(psi=None).has_moved


def firing(**changes: Any) -> Alert:
    """Return an alert of a feature that fired over 500 rows."""
    facts: dict[str, Any] = {
        "field": "age",
        "role": Role.FEATURE,
        "segment": "all",
        "measure": "psi",
        "value": 0.412,
        "current": 0.031,
        "threshold": 0.1,
        "log10_e_value": 5.0,
        "state": "firing",
        "rows": 500,
        "started_at": 1_790_000_000.0,
        "reason": "above 60: 10% before, 30% now",
    }
    return Alert(**(facts | changes))


def test_without_alerts_the_status_says_how_many_fields_were_compared() -> None:
    """Otherwise it would be unclear whether anything was compared."""
    quiet = replace(WATCHING, fields=(field(psi=0.5), blank("empty")))
    assert "no alerts: 1 field compared with training" in str(quiet)
    assert "no alerts" not in str(replace(WATCHING, fields=(blank("empty"),)))


def test_an_alert_shows_the_score_when_it_fired_and_the_current_score() -> None:
    """An alert of yesterday must not read as if it had fired today."""
    text = str(replace(WATCHING, alerts=(firing(), firing(measure="new_category"))))
    assert "2 alerts firing; 'now' covers the rows since each change\n" in text
    assert (
        "  feature age: psi 0.412 over 500 rows when it fired, 0.031 now; threshold 0.100\n" in text
    )
    assert "    since 2026-09-21 14:13:20 UTC; above 60: 10% before, 30% now\n" in text
    assert "correct it upstream, or fit a new reference" in text
    assert "no alerts" not in text


def test_the_table_shows_training_beside_live_values_and_marks_only_alerts() -> None:
    """A PSI below its threshold is not marked, however large it is."""
    trained = TrainingStats(rows=4_000, missing=0.0, mean=8_000.0, stddev=9_500.0)
    fields = field(training=trained, psi=0.9), field("age", training=trained, has_alert=True)
    lines = str(replace(WATCHING, fields=fields)).splitlines()
    first, second = (next(x for x in lines if x.startswith(f"  {f.name} ")) for f in fields)
    assert first.split()[1:] == ["1,000", "0", "8,186", "9,804", "8,000", "9,500", "0.900", "0.020"]
    assert second.split()[-1] == "ALERT"


def test_invalid_values_are_counted_over_the_window() -> None:
    """Invalid values of last month do not count today, but `missing` still includes them."""
    then = GOOD | {Quality.MISSING: 700}
    now = GOOD | {Quality.MISSING: 12}
    text = str(replace(WATCHING, fields=(field("age", quality=then, window_quality=now),)))
    assert re.search(r"^  age +1,000 +12 ", text, re.MULTILINE)
    assert "invalid in age: missing 12\n" in text
    assert "700" not in text
    assert field("age", quality=then, window_quality=now).missing == 700


def test_a_window_without_rows_is_printed_as_a_line_and_not_as_a_table_of_dashes() -> None:
    """The line says whether there never were any rows or only none in the window."""
    never = blank("age", quality=dict.fromkeys(Quality, 0))
    past = blank("age", quality=GOOD, window_quality=dict.fromkeys(Quality, 0))
    assert "\nno rows yet\n" in str(replace(WATCHING, fields=(never,)))
    assert "\nno rows in the window\n" in str(replace(WATCHING, fields=(past,)))
    for fields in ((never,), (past,)):
        assert "threshold" not in str(replace(WATCHING, fields=fields))
    only_bad = blank("age", quality=dict.fromkeys(Quality, 0) | {Quality.MISSING: 3})
    assert "threshold" in str(replace(WATCHING, fields=(only_bad,)))


def test_a_count_of_one_is_printed_in_the_singular() -> None:
    """The nouns after a count agree with it, whichever line they stand on."""
    one = Status(
        "m", "1", "watching", predictions=1, reference_rows=1, dropped=1, internal_errors=1
    )
    text = str(replace(one, fields=(field(),)))
    for line in (
        "reference of 1 row\n",
        "1 prediction,",
        "no alerts: 1 field ",
        "1 internal error",
    ):
        assert line in text
    assert "1 row dropped" in text


def test_rounding_errors_are_printed_as_zero() -> None:
    """A mean that is zero but for rounding is not printed as four digits of noise."""
    dusty = field("x", mean=-3.1e-15, stddev=1.0, quantiles={0.05: -1.6, 0.5: 2e-17, 0.95: 1.6})
    tiny = field("y", mean=3.1e-15, stddev=2e-15, quantiles={})
    text = str(replace(WATCHING, fields=(dusty, tiny)))
    assert re.search(r"^  x +1,000 +0 +0 +1 ", text, re.MULTILINE)
    assert "3.10e-15" in text


def test_a_categorical_field_reports_its_number_of_categories() -> None:
    """The number replaces the mean in the table, if it is known."""
    fields = (field(), blank("line", kind=Kind.CATEGORICAL, count=9, distinct=1_234.4))
    text = str(replace(WATCHING, fields=fields))
    assert re.search(r"^  line +9 +0 +1,234 names ", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        ({"accepted": 0, "rejected": 0, "failed": 0}, "nothing yet\n"),
        ({"accepted": 0, "rejected": 0, "failed": 463}, "nothing yet, failed 463 points\n"),
        ({"accepted": 4, "rejected": 0, "failed": 1}, "accepted 4, rejected 0, failed 1 points\n"),
    ],
)
def test_a_status_without_accepted_points_says_how_many_were_lost(
    outcomes: dict[str, int], said: str
) -> None:
    """A destination that refuses everything must not look like one that was never used."""
    assert f"exported to collector: {said}" in str(
        replace(WATCHING, exports={"collector": outcomes})
    )


@pytest.mark.parametrize(
    ("dropped", "said"),
    [(1_372, "1,372 rows dropped (10%)"), (1, "1 row dropped (<0.1%)")],
)
def test_dropped_rows_are_reported_at_the_top_with_a_remedy(dropped: int, said: str) -> None:
    """They qualify all the numbers below."""
    line = str(replace(WATCHING, dropped=dropped)).splitlines()[2]
    assert line == f"{said}: raise Config.buffer_rows or record less"
    closed = str(replace(WATCHING, dropped=dropped, state="closed"))
    assert f"\n{said}\n" in closed
    assert "buffer_rows" not in str(WATCHING)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (Status("m", "1", "disabled"), "m 1: disabled; nothing is recorded"),
        (
            Status("m", "", "waiting", baseline_rows=1_000),
            "m: waiting; learning a reference: 0 of 1,000",
        ),
        (
            Status("m", "", "learning", learned_rows=60, baseline_rows=100),
            "m: learning; learning a reference: 60 of 100 rows",
        ),
        (
            Status("m", "1", "watching", reference_rows=1_000, is_reference_learned=True),
            "m 1: watching; reference of 1,000 rows, learned from the first rows of this service",
        ),
        (Status("m", "1", "closed", reference_rows=5), "m 1: closed; reference of 5 rows"),
    ],
    ids=lambda value: value.state if isinstance(value, Status) else "",
)
def test_every_state_is_printed(status: Status, said: str) -> None:
    """The first line says what the monitor is doing."""
    assert str(status).startswith(said)


def lines_of_table(status: Status) -> list[str]:
    """Return the head and the rows of the printed table."""
    lines = str(status).splitlines()
    head = next(place for place, line in enumerate(lines) if "threshold" in line)
    return [lines[head], *lines[head + 2 : head + 2 + len(status.fields)]]


NAMES = st.text(min_size=1, max_size=40)
NUMBER = st.one_of(st.none(), st.floats())


@given(
    st.lists(st.tuples(NAMES, NUMBER, NUMBER, st.integers(1, 1 << 50)), min_size=1, max_size=5),
    st.sampled_from([Kind.NUMERIC, Kind.DATETIME]),
)
@settings(max_examples=30)
def test_the_table_is_aligned_and_readable(rows: list[tuple[Any, ...]], kind: Kind) -> None:
    """For any names and numbers it is at most 100 columns wide, without None, nan or inf."""
    fields = tuple(
        field(name, kind=kind, mean=mean, stddev=sd and abs(sd), count=count, psi=None)
        for name, mean, sd, count in rows
    )
    table = lines_of_table(replace(WATCHING, fields=fields))
    ends = {wide(line) for line in table}
    assert len(ends) == 1
    assert ends.pop() <= 100
    for line in table[1:]:
        assert not re.search(r"\b(None|nan|inf)\b", line[-60:].replace("�", ""))


def test_no_line_of_a_status_is_wider_than_a_terminal() -> None:
    """Long names, dates and large numbers still fit into 100 columns."""
    fields = (
        field("días_abiertos_保险理赔金额的一个很长的名字", count=123_456_789),
        field("opened", kind=Kind.DATETIME, mean=1.7e9, stddev=1e6, quantiles={0.5: 1.7e9}),
        field("huge", mean=-1.234e300, psi=12.345, role=Role.PREDICTION),
    )
    text = str(replace(WATCHING, fields=fields))
    assert max(wide(line) for line in text.splitlines()) <= 100
    assert "2023-11-14" in text


def test_a_hundred_fields_do_not_hide_the_alerts() -> None:
    """Lists end after some names with the number of further ones."""
    bad = GOOD | {Quality.MISSING: 3}
    new = (Hitter("n", 9, 0),)
    fields = tuple(field(f"f{at}", psi=0.5, quality=bad, new_categories=new) for at in range(100))
    status = replace(WATCHING, fields=fields, unknown_fields={f"u{at}": 1 for at in range(70)})
    text = " ".join(str(status).split())
    assert "invalid in 95 more fields" in text
    assert text.count("new in") == 6
    assert "and 60 more" in text


def test_a_field_is_found_by_name_and_role() -> None:
    """The role defaults to feature; the KeyError for another field names its role."""
    assert WATCHING.field("age").psi == 0.412
    assert WATCHING.field("prediction", role="prediction").role is Role.PREDICTION
    assert WATCHING.field("age").missing == 12
    with pytest.raises(KeyError, match=r"no feature is called 'prediction'; .* role='prediction'"):
        WATCHING.field("prediction")


def test_a_status_as_json_is_valid_for_every_parser() -> None:
    """It contains no NaN or Infinity; attributes become keys, and enums their values."""
    status = replace(WATCHING, alerts=(firing(log10_e_value=math.inf),))
    plain = json.loads(status.to_json(), parse_constant=pytest.fail)
    assert plain == status.to_dict()
    assert plain["fields"][1]["quality"]["missing"] == 12
    assert plain["alerts"][0]["log10_e_value"] is None
    assert plain["fields"][3]["new_categories"] == [{"name": "caravan", "count": 80, "error": 0}]


def test_a_notebook_shows_any_name_as_escaped_text() -> None:
    """Markup in a name is displayed and not interpreted."""
    hostile = "<script>alert('x')</script>"
    status = replace(WATCHING, model=hostile, fields=(field(hostile),))
    status = replace(status, alerts=(firing(field=hostile),), reference_warning=hostile)
    page = status._repr_html_()
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 4
