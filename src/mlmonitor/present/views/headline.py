"""The verdict in a sentence, and the facts below it."""

from dataclasses import dataclass

from mlmonitor.compare.performance.performance import MEASURES
from mlmonitor.formatting import amount, counted, duration, share
from mlmonitor.present.charts.axes import format_time
from mlmonitor.present.names import show_name
from mlmonitor.present.views.performance_charts import caption_measure
from mlmonitor.present.views.view_options import ModelReading
from mlmonitor.status.lines import describe_training
from mlmonitor.status.status import Status

_WORDS = {"recalibrate": "Recalibrate", "retrain": "Retrain"}


@dataclass(frozen=True, slots=True)
class Headline:
    """The state of a model in one line.

    tone: `calm`, `alert` or `idle`. word: the verdict. sentence: its main reason. reasons: further
    reasons and warnings. facts: numbers for the line below.
    """

    model: str
    version: str
    tone: str
    word: str
    sentence: str
    reasons: tuple[str, ...]
    facts: tuple[str, ...]


def build_headline(reading: ModelReading) -> Headline:
    """Summarise the state of a model."""
    status = reading.status
    tone, word, sentence, reasons = _judge(status)
    return Headline(
        model=show_name(status.model),
        version=show_name(status.version),
        tone=tone,
        word=word,
        sentence=sentence,
        reasons=(*reasons, *_list_warnings(status)),
        facts=() if status.state == "disabled" else tuple(_list_facts(reading)),
    )


def _judge(status: Status) -> tuple[str, str, str, tuple[str, ...]]:
    """Return tone, word, sentence and reasons of a headline."""
    idle = _describe_idle(status)
    if idle is not None:
        return ("idle", *idle, ())
    verdict = status.verdict
    reasons = () if verdict is None else tuple(_say(reason.text) for reason in verdict.reasons)
    if verdict is not None and verdict.action != "keep":
        return "alert", _WORDS[verdict.action], reasons[0] if reasons else "", reasons[1:]
    if reasons:
        reasons = (f"Verdict: keep the model. {reasons[0]}", *reasons[1:])
    opened = [incident for incident in status.incidents if incident.state == "open"]
    if opened:
        more = "" if len(opened) == 1 else f"; {amount(len(opened) - 1, 'more incident')}"
        return "alert", "Look", f"{_say(opened[0].title + more)}", reasons
    if status.alerts:
        return "alert", "Look", f"{amount(len(status.alerts), 'alert')} firing.", reasons
    rows = amount(status.window_rows, "row")
    compared = amount(sum(field.psi is not None for field in status.fields), "field")
    sentence = f"No change beyond chance in {compared} over {rows}."
    return "calm", "As trained", sentence, reasons


def _say(text: str) -> str:
    """Return a clause as a sentence; an initial field name or measure keeps its own case."""
    first, blank, rest = show_name(text).rstrip(".").partition(" ")
    if first in MEASURES:
        first = caption_measure(first)
    elif first.isalpha():
        first = first.capitalize() if first.islower() else first
    return f"{first}{blank}{rest}."


def _describe_idle(status: Status) -> tuple[str, str] | None:
    """Return word and sentence for a model that is not compared with a reference, else None."""
    if status.state == "disabled":
        return "Off", "Monitoring is switched off by its configuration or by the environment."
    if status.state == "learning":
        left = f"{status.learned_rows:,} of {amount(status.baseline_rows, 'row')}"
        return "Learning", f"The first rows become the reference: {left} so far."
    if status.state == "waiting":
        return "Waiting", "No predictions yet; the page fills with the first calls."
    is_silent = not status.alerts and not status.incidents
    if status.window_rows == 0 and is_silent:
        return "Quiet", "No predictions in this window."
    if not status.reference_rows and is_silent:
        return "Watching", "There is no reference to compare with."
    return None


def _list_warnings(status: Status) -> list[str]:
    warnings = [] if status.reference_warning is None else [show_name(status.reference_warning)]
    if status.dependence is not None:
        warnings.append(_say(show_name(status.dependence)))
    if status.selection is not None and status.selection.is_selective:
        warnings.append(_say(show_name(str(status.selection))))
    if status.state == "closed":
        warnings.append("The monitor is closed: these are its last numbers.")
    return warnings


def _list_facts(reading: ModelReading) -> list[str]:
    status, snapshot = reading.status, reading.snapshot
    facts = [f"{counted(status.predictions)} predictions"]
    facts += _describe_rate(reading)
    failed = sum(status.errors.values())
    total = status.predictions + failed
    facts.append("none failed" if not failed else f"{share(failed, total)} failed")
    if 0.99 in status.latency_seconds:
        facts.append(f"p99 {duration(status.latency_seconds[0.99])}")
    matched = status.labels.get("matched", 0)
    if matched:
        facts.append(f"{counted(matched)} labelled ({share(matched, max(total, matched))})")
    reference = snapshot.reference
    if reference is not None:
        source = "learned from the first" if reference.is_learned else "reference of"
        when = "" if reference.trained_at is None else f", {reference.trained_at:%d %b %Y}"
        facts.append(f"{source} {amount(reference.rows, 'row')}{when}")
    training = "" if status.training is None else describe_training(status.training)
    if training:
        facts.append(f"trained {show_name(training)}")
    if status.season is not None:
        facts.append(status.season)
    return facts


def _describe_rate(reading: ModelReading) -> list[str]:
    """Say how many rows the window holds, since when, and at what rate they arrived."""
    traffic = reading.snapshot.traffic
    if traffic is None or traffic.history is None or not traffic.history.rows.any():
        return []
    history = traffic.history
    start = float(history.starts[0])
    seconds = reading.snapshot.time - start
    facts = [f"{counted(traffic.view.profile.rows)} in this window"]
    if seconds >= 1:
        rate = _write_rate(float(history.rows.sum()) / seconds)
        facts.append(f"{rate} since {format_time(start, seconds)} UTC")
    return facts


def _write_rate(per_second: float) -> str:
    """Format a rate per second, minute, hour or day: the first in which it is at least 1."""
    for seconds, unit in ((1, "second"), (60, "minute"), (3_600, "hour")):
        if per_second * seconds >= 1:
            return f"{per_second * seconds:,.3g} a {unit}"
    return f"{per_second * 86_400:,.3g} a day"
