"""A status in print: a few lines that fit a terminal."""

from collections.abc import Sequence

from mlmonitor.formatting import (
    amount,
    counted,
    day,
    duration,
    join_counts,
    share,
    short,
    table,
    truncate,
    zero_if_rounding,
)
from mlmonitor.records import Kind, Quality
from mlmonitor.status.field_status import MOVED_PSI, FieldStatus
from mlmonitor.status.lines import (
    NAME_COLUMNS,
    NAMED,
    alert_lines,
    exported,
    ids_lines,
    join_names,
    name_lines,
    rule_lines,
    trouble_lines,
    why_lines,
)
from mlmonitor.status.segment_status import segment_lines
from mlmonitor.status.status import Status

_LINES = 5  # lines of one kind


def format_status(status: Status) -> str:
    """The status as text, the most important lines first."""
    segments = segment_lines(status.segments)
    parts = _head(status), _fields(status), _alerts(status), segments, _monitoring(status)
    return "\n".join(line for lines in parts for line in lines)


def _head(status: Status) -> list[str]:
    """The model, its reference, and its calls."""
    title = truncate(f"{status.model} {status.version}".strip(), 60)
    if status.state == "disabled":
        return [f"{title}: disabled; nothing is recorded"]
    lines = [f"{title}: {status.state}; {_reference(status)}"]
    if status.season is not None:
        lines[0] += f"; {status.season}"
    if status.reference_warning is not None:
        lines.append(status.reference_warning)
    failed = sum(status.errors.values())
    counts = f"{amount(status.predictions, 'prediction')}, {failed:,} failed"
    if failed:
        counts += f" ({join_counts(status.errors, most=NAMED)})"
    lines.append(f"{counts}, {status.window_rows:,} in the window")
    if status.dropped:
        lines.append(_dropped(status, failed))
    if status.latency_seconds:
        times = [f"p{100 * q:g} {duration(s)}" for q, s in status.latency_seconds.items()]
        lines.append(f"latency {', '.join(times)}")
    return lines


def _dropped(status: Status, failed: int) -> str:
    offered = status.predictions + failed + status.dropped
    text = f"{amount(status.dropped, 'row')} dropped ({share(status.dropped, offered)})"
    if status.state == "closed":  # a closed monitor drops every row
        return text
    return f"{text}: raise Config.buffer_rows or record less"


def _reference(status: Status) -> str:
    if status.reference_rows == 0 and status.state != "watching":
        expected = amount(status.baseline_rows, "row")
        return f"learning a reference: {status.learned_rows:,} of {expected}"
    text = f"reference of {amount(status.reference_rows, 'row')}"
    if status.is_reference_learned:
        return f"{text}, learned from the first rows of this service, which are not in the window"
    return text


def _fields(status: Status) -> list[str]:
    if not status.fields:
        return []
    if not any(each.count or _bad(each) for each in status.fields):
        has_rows = any(sum(each.quality.values()) for each in status.fields)
        return ["no rows in the window" if has_rows else "no rows yet"]
    head = ("field", "role", "count", "bad", "mean", "sd", "p5", "p50", "p95", "psi ", "js")
    rows = [_row(each) for each in status.fields]
    return ["", *table([head, *rows], left=(0, 1)), ""]


def _row(each: FieldStatus) -> tuple[str, ...]:
    quantiles = [each.quantiles.get(q) for q in (0.05, 0.5, 0.95)]
    if each.kind is Kind.DATETIME:
        spread = "-" if each.stddev is None else duration(each.stddev)
        numbers = [day(each.mean), spread, *map(day, quantiles)]
    else:
        moments = each.mean, each.stddev, *quantiles
        numbers = [short(zero_if_rounding(number, scale=each.stddev)) for number in moments]
    if each.distinct is not None:
        numbers[0] = f"{counted(round(each.distinct))} distinct"
    return (
        truncate(each.name, NAME_COLUMNS),
        each.role.value,
        counted(each.count),
        counted(_bad(each)),
        *numbers,
        f"{_score(each.psi)}{'*' if each.has_moved else ' '}",
        _score(each.jensen_shannon),
    )


def _score(score: float | None) -> str:
    return "-" if score is None else f"{score:.3f}"


def _bad(each: FieldStatus) -> int:
    return sum(
        count for quality, count in each.window_quality.items() if quality is not Quality.VALID
    )


def _alerts(status: Status) -> list[str]:
    """What deserves attention, the largest changes first."""
    lines = alert_lines(status.alerts)
    scored = [each for each in status.fields if each.psi is not None]
    moved = sorted((each for each in scored if each.has_moved), key=lambda each: -(each.psi or 0))
    if moved:
        lines.append(f"moved*: {join_names([_moved(f) for f in moved])}")
    elif scored:
        lines.append(
            f"moved: none of {amount(len(scored), 'field')} (psi beyond {MOVED_PSI} and chance)"
        )
    ids = [truncate(each.name, NAME_COLUMNS) for each in status.fields if each.is_id_like]
    lines += ids_lines(ids) + why_lines(status.why)
    apart = [
        f"{truncate(f.name, NAME_COLUMNS)} {f.mmd:.3f}" for f in status.fields if f.mmd is not None
    ]
    lines += [f"mmd: {join_names(apart)}"] if apart else []
    lines += _bad_lines(status.fields)
    new = [each for each in status.fields if each.new_categories]
    for each in new[:_LINES]:
        counts = {hit.name: hit.count for hit in each.new_categories}
        lines.append(
            f"new in {truncate(each.name, NAME_COLUMNS)}: {join_counts(counts, most=_LINES)}"
        )
    if len(new) > _LINES:
        lines.append(f"new in {amount(len(new) - _LINES, 'more field')}")
    lines += rule_lines(status.violations, status.unmatched_rules)
    vain = status.unused_ignores if status.predictions else ()
    return lines + name_lines(vain, status.unknown_fields)


def _bad_lines(fields: Sequence[FieldStatus]) -> list[str]:
    """Fields with defective values, those with the most first, by reason."""
    lines = []
    bad = sorted((each for each in fields if _bad(each)), key=_bad, reverse=True)
    for each in bad[:_LINES]:
        qualities = each.window_quality.items()
        reasons = {q.value: n for q, n in qualities if n and q is not Quality.VALID}
        lines.append(
            f"bad in {truncate(each.name, NAME_COLUMNS)}: {join_counts(reasons, most=NAMED)}"
        )
    if len(bad) > _LINES:
        lines.append(f"bad in {amount(len(bad) - _LINES, 'more field')}")
    return lines


def _moved(each: FieldStatus) -> str:
    rows = sum(each.window_quality.values())
    return f"{truncate(each.name, NAME_COLUMNS)} (psi {each.psi:.3f} over {amount(rows, 'row')})"


def _monitoring(status: Status) -> list[str]:
    """Ground truth, destinations, and the health of the monitoring itself."""
    lines = []
    if status.performance is not None:
        p = status.performance
        lines.append(
            f"performance on {p.count:,} labelled: MAE {short(p.mae)}, RMSE {short(p.rmse)}, "
            f"bias {short(zero_if_rounding(p.bias, scale=p.rmse))}"
        )
        if status.training_metrics:
            trained = (
                f"{truncate(k, NAME_COLUMNS)} {short(v)}"
                for k, v in status.training_metrics.items()
            )
            lines.append(f"at training: {join_names(list(trained))}")
    if any(status.labels.values()):
        lines.append(f"labels: {join_counts(status.labels, most=NAMED)}")
    for destination, outcomes in status.exports.items():
        lines.append(f"exported to {truncate(destination, 60)}: {exported(outcomes)}")
        export = status.destinations.get(destination)
        if export is not None and not export.is_well and export.last_reason is not None:
            lines += trouble_lines(export.last_reason, export.seconds_since_success)
    if status.state != "disabled":
        lines.append(
            f"memory bounded by {status.memory_bytes / 1024:,.0f} KiB, "
            f"{amount(status.dropped, 'row')} dropped, "
            f"{amount(status.internal_errors, 'internal error')}"
        )
        if status.last_error is not None:
            lines.append(f"last error: {truncate(status.last_error, 110)}")
    return lines
