"""Recording rules, which are computed once a minute, and alerting rules, which notify somebody."""

import math
from dataclasses import dataclass

from mlmonitor import catalog
from promql import MODEL, bin_counts, reference_counts, select

ENVIRONMENT = "<deployment.environment.name>"
KEYS = f"{MODEL}, {ENVIRONMENT}"
FIELD_KEYS = f"{KEYS}, field, role"
BIN_KEYS = f"{FIELD_KEYS}, bin"
WHOLE = 'segment=~"all|"'
"""Matches series over all rows: segment `all`, or no segment label for models without segments."""


@dataclass(frozen=True)
class Recording:
    """A recording rule, whose series other rules read."""

    record: str
    expression: str
    note: str


@dataclass(frozen=True)
class AlertRule:
    """An alerting rule: its condition, and the texts for the person who is notified."""

    name: str
    expression: str
    waits: str
    severity: str
    summary: str
    description: str

    @property
    def summary_without_labels(self) -> str:
        """The sentences of the description without labels of a single series."""
        sentences = [text for text in self.description.split(". ") if "{{" not in text]
        return ". ".join(sentences).rstrip(".") + "." if sentences else f"{self.name}."

    @property
    def runbook(self) -> str:
        """The file name of the page that says what to do."""
        words = "".join(
            f"-{letter.lower()}" if letter.isupper() else letter for letter in self.name
        )
        return words.removeprefix("-mlmonitor-") + ".md"


def whole(metric: catalog.MetricSpec, *matchers: str, part: str = "") -> str:
    """Return a selector for a metric of all models, without the series of single segments."""
    return select(metric, WHOLE, *matchers, part=part, chosen="")


def total(vector: str, keys: str = KEYS) -> str:
    """Sum a vector over all processes of a model."""
    return f"sum by ({keys}) ({vector})"


def highest(vector: str, keys: str = KEYS) -> str:
    """Take the maximum over all processes of a model."""
    return f"max by ({keys}) ({vector})"


def grown(vector: str, window: str) -> str:
    """Return the increase of a counter over a window, summed over all processes."""
    return total(f"increase({vector}[{window}])")


def _shares(counts: str, half: str, share: str, note: str, condition: str) -> list[Recording]:
    return [
        Recording(half, f"{counts} + 0.5\nand on ({BIN_KEYS}) {condition}", note),
        Recording(
            share,
            f"{half}\n/ on ({FIELD_KEYS}) group_left ()\n  sum by ({FIELD_KEYS}) ({half})",
            "Their shares.",
        ),
    ]


def _psi(name: str, live: str, trained: str) -> Recording:
    return Recording(
        name,
        f"sum by ({FIELD_KEYS}) (\n  ({live} - {trained})\n  * ln({live} / {trained})\n)",
        "The population stability index, as `mlmonitor.stats.distance.psi` of the pooled rows.",
    )


def _family(suffix: str, window: str | None) -> list[Recording]:
    count, half = f"mlmonitor:field_bin{suffix}:count", f"mlmonitor:field_bin{suffix}:half"
    share = f"mlmonitor:field_bin{suffix}:share"
    trained_half = f"mlmonitor:reference_bin{suffix}:half"
    trained_share = f"mlmonitor:reference_bin{suffix}:share"
    psi = f"mlmonitor:field_psi{suffix}"
    since = "since each process started" if window is None else f"in the last {window}"
    either = f"(\n  {count} + mlmonitor:reference_bin:count > 0\n)"
    return [
        Recording(
            count,
            bin_counts(WHOLE, keys=FIELD_KEYS, window=window, chosen=""),
            f"Values in each bin, {since}: of numeric fields, whose bins are `(gt, le]`, a bucket "
            "less the one before it; of categorical fields as they are counted.",
        ),
        *_shares(count, half, share, "With half a count added, where either side has any.", either),
        *_shares(
            "mlmonitor:reference_bin:count",
            trained_half,
            trained_share,
            "The same of the reference.",
            half,
        ),
        _psi(psi, share, trained_share),
    ]


REFERENCE = Recording(
    "mlmonitor:reference_bin:count",
    reference_counts(WHOLE, keys=FIELD_KEYS, chosen=""),
    "What the reference has in each bin.",
)
SINCE_START: tuple[Recording, ...] = (REFERENCE, *_family("", None))
LAST_HOUR: tuple[Recording, ...] = tuple(_family("_1h", "1h"))
LAST_DAY: tuple[Recording, ...] = tuple(_family("_1d", "1d"))
DAY_MINUTES = 5
"""Minutes between evaluations of the rules over the last day."""

TOLERANCE = 0.005
"""The PSI up to which a change is tolerated, like the default of `Config.drift_tolerance`."""

_FIELD_TEXT = (
    'Field {{ index $labels "field" }} ({{ index $labels "role" }}) of '
    '{{ index $labels "<bare:model.name>" }} {{ index $labels "<bare:model.version>" }}'
)
_MODEL_TEXT = '{{ index $labels "<bare:model.name>" }} {{ index $labels "<bare:model.version>" }}'


def _latency(window: str, offset: str = "") -> str:
    buckets = f"rate({whole(catalog.DURATION, part='bucket')}[{window}]{offset})"
    return f"histogram_quantile(0.99, sum by ({KEYS}, le) ({buckets}))"


_ADVISED = 'action!="keep"'
_FAILED = whole(catalog.PREDICTIONS, 'status="error"')
_CALLS = whole(catalog.PREDICTIONS)
_LABELLED = grown(whole(catalog.LABELLED, 'field=""'), "1d")
_ABSOLUTE = grown(whole(catalog.ERROR_ABSOLUTE, 'field=""'), "1d")
_TRAINED_MAE = highest(whole(catalog.PERFORMANCE, 'measure="mae",basis="reference"'))
_MATCHED = whole(catalog.LABELS, 'status="matched"')
_REPORTED = f"{ENVIRONMENT}, <model.name>, destination"
_NOT_ACCEPTED = select(catalog.EXPORT_POINTS, 'outcome!="accepted"', chosen="")
_LOST_EVENTS = select(catalog.EVENTS, 'outcome!="delivered"', chosen="")
_EVENTS = select(catalog.EVENTS, chosen="")
_POINTS = select(catalog.EXPORT_POINTS, chosen="")


_YEAR_MINUTES = 365 * 24 * 60
_ALPHA = 0.01 / 3  # of each span: since the start, the last hour, the last day


def _has_drifted(suffix: str, evaluations: int) -> str:
    """Return fields whose evidence passes a threshold valid for all fields and evaluations."""
    evidence, low = f"mlmonitor:field_evidence{suffix}", f"mlmonitor:field_psi{suffix}:low"
    limit = f"log10(count by ({KEYS}) ({evidence})) + {math.log10(evaluations / _ALPHA):.2f}"
    return f"({evidence} > on ({KEYS}) group_left () ({limit})\nand {low} > {TOLERANCE})"


_FLEET_DRIFT = "\nor ".join(
    [
        _has_drifted("", 1),
        _has_drifted("_1h", _YEAR_MINUTES),
        _has_drifted("_1d", _YEAR_MINUTES // DAY_MINUTES),
    ]
)


def _share(part: str, all_of_it: str, window: str) -> str:
    return f"{grown(part, window)} / {grown(all_of_it, window)}"


ALERTS: tuple[AlertRule, ...] = (
    AlertRule(
        "MlmonitorFleetPsi",
        "mlmonitor:field_psi_1h > 0.1 + mlmonitor:field_psi_1h:threshold",
        "15m",
        "warning",
        f"{_FIELD_TEXT} has drifted over the whole fleet",
        'The PSI of all processes\' rows of the last hour is {{ $value | printf "%.3f" }}: 0.1 '
        "above what chance alone exceeds once in a hundred windows.",
    ),
    AlertRule(
        "MlmonitorFleetDrift",
        _FLEET_DRIFT,
        "5m",
        "warning",
        f"{_FIELD_TEXT} has drifted over the whole fleet, though perhaps little",
        "The rows of all processes together are evidence of drift that chance reaches in one model "
        "of a hundred a year, since the start, in the last hour or in the last day. The logarithm "
        'of the e-value is {{ $value | printf "%.1f" }}.',
    ),
    AlertRule(
        "MlmonitorDrift",
        f"{highest(whole(catalog.DRIFT_ALERT), FIELD_KEYS)} == 1",
        "5m",
        "warning",
        f"{_FIELD_TEXT} has drifted",
        "A process has evidence of a change, and the distance is beyond the tolerance.",
    ),
    AlertRule(
        "MlmonitorQuality",
        f"{highest(whole(catalog.QUALITY_ALERT), f'{FIELD_KEYS}, reason')} == 1",
        "5m",
        "warning",
        f"{_FIELD_TEXT} has defects",
        "The share of values with the defect {{ $labels.reason }} has grown, or a declared rule is "
        "broken.",
    ),
    AlertRule(
        "MlmonitorPerformance",
        f"{_ABSOLUTE} / {_LABELLED} > 1.5 * {_TRAINED_MAE}\nand {_LABELLED} >= 100",
        "30m",
        "critical",
        f"The error of {_MODEL_TEXT} is 50% larger than at training",
        "The mean absolute error of predictions labelled in the last day is "
        "{{ $value | humanize }}, more than 1.5 times that at training.",
    ),
    AlertRule(
        "MlmonitorPerformanceAlert",
        f"{highest(whole(catalog.PERFORMANCE_ALERT), f'{KEYS}, measure')} == 1",
        "5m",
        "critical",
        f"{{{{ $labels.measure }}}} of {_MODEL_TEXT} is worse than at training",
        "A process has evidence, valid at any time, that the measure over its newest labels is "
        "worse than at training by more than the tolerance.",
    ),
    AlertRule(
        "MlmonitorObjective",
        f"{highest(whole(catalog.OBJECTIVE_ALERT), f'{KEYS}, measure')} == 1",
        "5m",
        "critical",
        f"{_MODEL_TEXT} misses its objective for {{{{ $labels.measure }}}}",
        "At least one process does not meet a declared objective.",
    ),
    AlertRule(
        "MlmonitorVerdict",
        f"{highest(whole(catalog.VERDICT, _ADVISED), f'{KEYS}, action, reason')} == 1",
        "1h",
        "warning",
        f"{_MODEL_TEXT}: {{{{ $labels.action }}}}",
        "Mature labels, calibration, age or the quality of the data advise to "
        "{{ $labels.action }}, because of {{ $labels.reason }}.",
    ),
    AlertRule(
        "MlmonitorLabelsStalled",
        f"{grown(_MATCHED, '1d')} == 0\nand {total(_MATCHED)} > 0\nand {grown(_CALLS, '1d')} > 0",
        "1h",
        "warning",
        f"No label of {_MODEL_TEXT} has arrived for a day",
        "Labels used to arrive and predictions go on, but for a day no label has found its "
        "prediction: cohorts no longer mature, and current performance is unknown.",
    ),
    AlertRule(
        "MlmonitorHeartbeatMissing",
        f"group by ({_REPORTED}) (max_over_time({select(catalog.HEARTBEAT, chosen='')}[1d]))\n"
        f"unless group by ({_REPORTED}) ({select(catalog.HEARTBEAT, chosen='')})",
        "5m",
        "critical",
        '{{ index $labels "<bare:model.name>" }} no longer reports',
        "No process has reported to {{ $labels.destination }} for ten minutes, and one did within "
        "the last day. While this fires, no other alert about the model can be trusted to fire.",
    ),
    AlertRule(
        "MlmonitorRowsDropped",
        f"{grown(whole(catalog.DROPPED), '10m')}\n"
        f"/ ({grown(whole(catalog.DROPPED), '10m')} + {grown(_CALLS, '10m')}) > 0.001",
        "5m",
        "warning",
        f"{_MODEL_TEXT} drops rows",
        "{{ $value | humanizePercentage }} of the rows were predicted but not monitored, because "
        "the buffer was full.",
    ),
    AlertRule(
        "MlmonitorInternalErrors",
        f"{grown(whole(catalog.FAULTS), '15m')} > 0",
        "0m",
        "warning",
        f"The monitoring of {_MODEL_TEXT} has internal errors",
        "The library had internal errors, which it kept from the service; some rows may not be "
        "counted.",
    ),
    AlertRule(
        "MlmonitorErrorShare",
        f"{_share(_FAILED, _CALLS, '10m')} > 0.01\nand {grown(_CALLS, '10m')} >= 100",
        "10m",
        "critical",
        f"{_MODEL_TEXT} fails more than one call in a hundred",
        "{{ $value | humanizePercentage }} of the calls of the last ten minutes "
        "raised an exception.",
    ),
    AlertRule(
        "MlmonitorLatency",
        f"{_latency('10m')} > 2 * {_latency('1d', ' offset 1h')}\nand {_latency('10m')} > 0.05",
        "10m",
        "warning",
        f"{_MODEL_TEXT} is twice as slow as the day before",
        "The 99th percentile of the last ten minutes is {{ $value | humanizeDuration }}.",
    ),
    AlertRule(
        "MlmonitorServiceAlert",
        f"{highest(whole(catalog.SERVICE_ALERT), f'{KEYS}, measure')} == 1",
        "5m",
        "warning",
        f"{{{{ $labels.measure }}}} of {_MODEL_TEXT} has grown",
        "A process has evidence that its failures or its latency have grown since its first 1,000 "
        "calls.",
    ),
    AlertRule(
        "MlmonitorEventsLost",
        f"sum by (sink) (increase({_LOST_EVENTS}[15m]))\n"
        f"/ sum by (sink) (increase({_EVENTS}[15m])) > 0.001",
        "15m",
        "warning",
        "{{ $labels.sink }} loses events",
        "{{ $value | humanizePercentage }} of the events of the last fifteen minutes were dropped "
        "or refused.",
    ),
    AlertRule(
        "MlmonitorLoaderStalled",
        f"max by (job, instance) ({select(catalog.LOADER_COMMIT_AGE, chosen='')}) > 300\n"
        f"and max by (job, instance) ({select(catalog.LOADER_LAG, chosen='')}) > 0",
        "5m",
        "warning",
        "The loader {{ $labels.instance }} stores nothing",
        "Events wait, and the last commit was {{ $value | humanizeDuration }} ago.",
    ),
    AlertRule(
        "MlmonitorPointsRefused",
        f"sum by (destination) (increase({_NOT_ACCEPTED}[15m]))\n"
        f"/ sum by (destination) (increase({_POINTS}[15m])) > 0.01",
        "15m",
        "warning",
        "{{ $labels.destination }} refuses points",
        "{{ $value | humanizePercentage }} of the points sent were rejected or could not be "
        "delivered.",
    ),
)
