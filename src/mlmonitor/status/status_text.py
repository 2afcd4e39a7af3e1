"""A status as text: a few lines that fit a terminal."""

from collections.abc import Sequence
from itertools import compress

from mlmonitor.formatting import (
    amount,
    duration,
    join_counts,
    share,
    short,
    truncate,
)
from mlmonitor.status.field_status import FieldStatus
from mlmonitor.status.field_table import field_table, invalid_lines
from mlmonitor.status.figures.figure_status import figure_lines
from mlmonitor.status.lines import (
    NAME_COLUMNS,
    NAMED,
    accepted_lines,
    advancing_lines,
    alert_lines,
    describe_training,
    event_lines,
    exported,
    fit_line,
    ids_lines,
    join_names,
    name_lines,
    objective_lines,
    rule_lines,
    trouble_lines,
    verdict_lines,
    why_lines,
)
from mlmonitor.status.performance_text import performance_text
from mlmonitor.status.segment_status import segment_lines
from mlmonitor.status.status import EarlierVersion, NotificationStatus, Status

_LINES = 5  # lines of one kind


def format_status(status: Status) -> str:
    """Format a status as text, with the most important lines first."""
    segments = segment_lines(status.segments)
    fields = field_table(status.fields)
    parts = _write_head(status), fields, _write_alerts(status), segments, _write_monitoring(status)
    return "\n".join(fit_line(line) for lines in parts for line in lines)


def _write_head(status: Status) -> list[str]:
    """Write the lines about the model, its reference and its calls."""
    title = truncate(f"{status.model} {status.version}".strip(), 60)
    if status.state == "disabled":
        return [f"{title}: disabled; nothing is recorded"]
    lines = [f"{title}: {status.state}; {_write_reference(status)}"]
    if status.season is not None:
        lines[0] += f"; {status.season}"
    lines += _write_training(status) + _write_cautions(status)
    failed = sum(status.errors.values())
    counts = f"{amount(status.predictions, 'prediction')}, {failed:,} failed"
    if failed:
        counts += f" ({join_counts(status.errors, most=NAMED)})"
    lines.append(f"{counts}, {status.window_rows:,} in the window")
    if status.dropped:
        lines.append(_write_dropped(status, failed))
    if status.latency_seconds:
        times = [f"p{100 * q:g} {duration(s)}" for q, s in status.latency_seconds.items()]
        lines.append(f"latency {', '.join(times)}")
    return lines + _write_verdict(status)


def _write_training(status: Status) -> list[str]:
    """Write when and how the model was trained, if the reference says so."""
    facts = [] if status.training is None else [describe_training(status.training)]
    if status.trained_at is not None:
        facts.insert(0, f"{status.trained_at:%Y-%m-%d}")
    text = " ".join(filter(None, facts))
    return [f"trained {text}"] if text else []


def _write_cautions(status: Status) -> list[str]:
    """Write the warnings that a reader of the numbers needs to know."""
    is_selective = status.selection is not None and status.selection.is_selective
    selection = str(status.selection) if is_selective else None
    cautions = status.dependence, status.reference_warning, selection
    return [caution for caution in cautions if caution is not None]


def _write_verdict(status: Status) -> list[str]:
    """Write the verdict; without performance from labels, leave out the verdict `keep`."""
    has_grounds = status.verdict is not None and status.verdict.action != "keep"
    return verdict_lines(status.verdict) if has_grounds or status.performance is not None else []


def _write_dropped(status: Status, failed: int) -> str:
    offered = status.predictions + failed + status.dropped
    text = f"{amount(status.dropped, 'row')} dropped ({share(status.dropped, offered)})"
    if status.state == "closed":  # a closed monitor drops every row
        return text
    return f"{text}: raise Config.buffer_rows or record less"


def _write_reference(status: Status) -> str:
    if status.reference_rows == 0 and status.state != "watching":
        expected = amount(status.baseline_rows, "row")
        return f"learning a reference: {status.learned_rows:,} of {expected}"
    text = f"reference of {amount(status.reference_rows, 'row')}"
    if status.is_reference_learned:
        return f"{text}, learned from the first rows of this service, which are not in the window"
    return text


def _write_alerts(status: Status) -> list[str]:
    """Write incidents, then alerts, then their known causes and other findings about fields."""
    incidents = [
        f"incident: {truncate(str(incident), 400)}" for incident in status.incidents[:_LINES]
    ]
    lines = incidents + alert_lines(status.alerts)
    scored = [field for field in status.fields if field.psi is not None]
    if scored and not status.alerts:
        lines.append(f"no alerts: {amount(len(scored), 'field')} compared with training")
    advancing = [truncate(f.name, NAME_COLUMNS) for f in status.fields if f.is_advancing]
    is_id = [field.is_id_like and not field.is_advancing for field in status.fields]
    ids = [truncate(field.name, NAME_COLUMNS) for field in compress(status.fields, is_id)]
    lines += why_lines(status.why) + ids_lines(ids) + advancing_lines(advancing)
    lines += accepted_lines(_list_accepted(status))
    embeddings = [field for field in status.fields if field.mmd is not None]
    distances = [f"{truncate(f.name, NAME_COLUMNS)} {f.mmd:.3f}" for f in embeddings]
    lines += [f"mmd: {join_names(distances)}"] if distances else []
    lines += invalid_lines(status.fields, most=_LINES)
    lines += _new_category_lines(status.fields)
    lines += rule_lines(status.violations, status.unmatched_rules)
    ignores = status.unused_ignores if status.predictions else ()
    return lines + name_lines(ignores, status.absent_columns, status.unknown_fields)


def _new_category_lines(fields: Sequence[FieldStatus]) -> list[str]:
    """Write the new categories of each field, as far as privacy allows their names."""
    with_new = [field for field in fields if field.new_categories]
    lines = []
    for field in with_new[:_LINES]:
        counts = {hit.name: hit.count for hit in field.new_categories}
        name = truncate(field.name, NAME_COLUMNS)
        lines.append(f"new in {name}: {join_counts(counts, most=_LINES)}")
    more = len(with_new) - _LINES
    return [*lines, f"new in {amount(more, 'more field')}"] if more > 0 else lines


def _list_accepted(status: Status) -> list[str]:
    return [
        field.name
        for field in status.fields
        if field.training is not None and field.training.accepted_at is not None
    ]


def _write_earlier(version: EarlierVersion) -> str:
    name = truncate(version.version, 40) or "without a name"
    text = f"before: version {name}, {amount(version.predictions, 'row')}"
    if version.performance is None:
        return text
    return (
        f"{text}; {version.performance.count:,} labelled: {performance_text(version.performance)}"
    )


def _describe_events(events: NotificationStatus) -> str:
    counts = {name: count for name, count in vars(events).items() if isinstance(count, int)}
    text = join_counts({name: count for name, count in counts.items() if count}, most=NAMED)
    reason = "" if events.last_reason is None else f"; {events.last_reason}"
    return f"{text or 'no events yet'}{reason}"


def _write_performance(status: Status) -> list[str]:
    """Write the performance from labels, estimated without labels, and at training."""
    lines = []
    if status.performance is not None:
        p = status.performance
        lines.append(f"performance on {p.count:,} labelled: {performance_text(p)}")
    if status.estimated is not None:
        text = performance_text(status.estimated)
        condition = status.estimated.refutation or f"right if {status.estimated.assumption}"
        lines.append(f"estimated without labels: {text}; {condition}")
    if status.performance is not None and status.training_metrics:
        trained = (
            f"{truncate(k, NAME_COLUMNS)} {short(v)}" for k, v in status.training_metrics.items()
        )
        lines.append(f"at training: {join_names(list(trained))}")
    return lines


def _write_monitoring(status: Status) -> list[str]:
    """Write performance, labels, objectives, challengers, and the state of the destinations."""
    lines = _write_performance(status) + figure_lines(status.kpis, status.attributions)
    lines += [_write_earlier(version) for version in status.earlier]
    lines += objective_lines(status.objectives)
    for version, challenge in list(status.challenges.items())[:_LINES]:
        lines += [
            f"challenger {truncate(version, 40)}: {challenge.summary}",
            *challenge.lines()[1:],
        ]
    labels = {name: count for name, count in status.labels.items() if count}
    if labels:
        lines.append(f"labels: {join_counts(labels, most=NAMED)}")
    for destination, outcomes in status.exports.items():
        lines.append(f"exported to {truncate(destination, 60)}: {exported(outcomes)}")
        export = status.destinations.get(destination)
        if export is not None and not export.is_well and export.last_reason is not None:
            lines += trouble_lines(export.last_reason, export.seconds_since_success)
    lines += event_lines(status.events)
    lines += [
        f"{name}: {_describe_events(counts)}" for name, counts in status.notifications.items()
    ]
    if status.state != "disabled":
        lines.append(
            f"memory bounded by {status.memory_bytes / 1024:,.0f} KiB, "
            f"{amount(status.dropped, 'row')} dropped, "
            f"{amount(status.internal_errors, 'internal error')}"
        )
        if status.last_error is not None:
            lines.append(f"last error: {status.last_error}")
    return lines
