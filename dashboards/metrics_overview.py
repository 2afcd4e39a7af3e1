"""The overview dashboard: the state of the models and of their monitoring."""

from metrics_variables import model_variables
from mlmonitor import catalog
from model import Board, Panel, Query, Row
from promql import MODEL, PROCESS, added, highest, rate, ratio, select, total

_MODEL_LEGEND = "{{<bare:model.name>}} {{<bare:model.version>}}"
_FAILED = select(catalog.PREDICTIONS, 'status="error"')
_ALL = select(catalog.PREDICTIONS)
_LATENCY = total(rate(select(catalog.DURATION, part="bucket")), f"{MODEL}, le")


def _latency(quantile: float) -> str:
    """Return a latency quantile by model; models that only record batches have none."""
    timed = f"{total(rate(select(catalog.DURATION, part='count')))} > 0"
    return f"histogram_quantile({quantile}, {_LATENCY}) and on ({MODEL}) {timed}"


_WELL = Row(
    "Is all well?",
    (
        Panel(
            "stat",
            "Predictions a second",
            "Rows predicted, over all processes. A fall to zero means that the service gets no "
            "calls, or that it no longer reports: see the heartbeat below.",
            (Query(total(rate(_ALL)), _MODEL_LEGEND),),
            unit="reqps",
            width=4,
            height=5,
        ),
        Panel(
            "stat",
            "Failed calls",
            "Share of calls that raised an exception. Good: as on the days before. If it grows, "
            "see which exception below and read the service's log.",
            (Query(ratio(_FAILED, _ALL), _MODEL_LEGEND),),
            unit="percentunit",
            warn_above=0.01,
            width=4,
            height=5,
        ),
        Panel(
            "stat",
            "Latency, 99th percentile",
            "For calls in all processes, from summed buckets. Good: within your objective.",
            (Query(_latency(0.99), _MODEL_LEGEND),),
            unit="s",
            width=4,
            height=5,
        ),
        Panel(
            "stat",
            "Fields that drift",
            "Fields whose drift alert fires in any process. Good: 0. Otherwise open the drift "
            "dashboard: it says since when, how far, and what it does to the predictions.",
            (
                Query(
                    "count by ("
                    + MODEL
                    + ") ("
                    + highest(select(catalog.DRIFT_ALERT), f"{MODEL}, field, role")
                    + " > 0) or 0 * "
                    + total(_ALL),
                    _MODEL_LEGEND,
                ),
            ),
            decimals=0,
            warn_above=1,
            width=4,
            height=5,
        ),
        Panel(
            "stat",
            "Open incidents",
            "Alerts that began in the same rows are one incident. Good: 0. Otherwise the panel "
            "below names the cause where one is known.",
            (Query(total(highest(select(catalog.INCIDENTS), f"{MODEL}, cause")), _MODEL_LEGEND),),
            decimals=0,
            warn_above=1,
            width=4,
            height=5,
        ),
        Panel(
            "stat",
            "Labelled share",
            "Share of the predictions in stored cohorts that have a label by now. It grows with "
            "time: compare it with last week's at the same age. If it stops growing, labels do "
            "not arrive, and performance is unknown.",
            (
                Query(
                    total(select(catalog.COHORT_LABELLED))
                    + " / "
                    + total(select(catalog.COHORT_PREDICTIONS)),
                    _MODEL_LEGEND,
                ),
            ),
            unit="percentunit",
            width=4,
            height=5,
        ),
    ),
)

_TRAFFIC = Row(
    "Traffic",
    (
        Panel(
            "timeseries",
            "Predictions",
            "Rows predicted per second, by version. During a roll-out both versions answer.",
            (Query(total(rate(_ALL)), _MODEL_LEGEND),),
            unit="reqps",
            stacked=True,
        ),
        Panel(
            "timeseries",
            "Failed calls, by exception",
            "Calls per second that raised an exception, by the class of the exception.",
            (
                Query(
                    total(rate(_FAILED), f"{MODEL}, <error.type>"),
                    "{{<bare:model.name>}} {{<bare:error.type>}}",
                ),
            ),
            unit="reqps",
        ),
        Panel(
            "timeseries",
            "Latency",
            "Quantiles of the time in the wrapped call, from summed buckets. Points are single "
            "traced calls: select one to open its trace.",
            tuple(
                Query(_latency(quantile), f"p{quantile * 100:g} {_MODEL_LEGEND}", exemplars=True)
                for quantile in (0.5, 0.9, 0.99)
            ),
            unit="s",
        ),
        Panel(
            "timeseries",
            "Failures or latency grew",
            "1 while the share of failed calls or the latency has grown since the first 1,000 "
            "calls of a process. Good: 0.",
            (
                Query(
                    highest(select(catalog.SERVICE_ALERT), f"{MODEL}, measure"),
                    "{{<bare:model.name>}} {{measure}}",
                ),
            ),
            maximum=1,
        ),
    ),
)

_CHANGES = Row(
    "What has changed",
    (
        Panel(
            "table",
            "Verdict",
            "What mature labels, calibration, age and the quality of the data advise. Good: keep. "
            "Recalibrating corrects a steady bias or scores that promise too much; retrain if "
            "the relation to the actual has changed. The reason says why.",
            (
                Query(
                    highest(select(catalog.VERDICT), f"{MODEL}, action, reason") + " == 1",
                    instant=True,
                ),
            ),
            columns=(
                ("<bare:model.name>", "model"),
                ("<bare:model.version>", "version"),
                ("action", "action"),
                ("reason", "reason"),
            ),
            width=24,
            height=6,
        ),
        Panel(
            "timeseries",
            "Incidents, by cause",
            "Incidents open now in any process. The cause says where to look first: a lost column, "
            "a renamed class, duplicated rows, other units, swapped columns.",
            (
                Query(
                    highest(select(catalog.INCIDENTS), f"{MODEL}, cause"),
                    "{{<bare:model.name>}} {{cause}}",
                ),
            ),
            decimals=0,
        ),
        Panel(
            "table",
            "Alerts that fire",
            "Fields whose drift or quality alert fires in any process. Select a field to see its "
            "distribution. Empty is good.",
            (
                Query(
                    highest(select(catalog.DRIFT_ALERT), f"{MODEL}, field, role") + " > 0",
                    instant=True,
                ),
                Query(
                    highest(select(catalog.QUALITY_ALERT), f"{MODEL}, field, role, reason")
                    + " > 0",
                    instant=True,
                ),
            ),
            columns=(
                ("<bare:model.name>", "model"),
                ("<bare:model.version>", "version"),
                ("field", "field"),
                ("role", "role"),
                ("reason", "reason"),
                ("Value #A", "drift"),
                ("Value #B", "quality"),
            ),
            links_to_field=True,
        ),
    ),
)

_HEALTH = Row(
    "Health of the monitoring",
    (
        Panel(
            "timeseries",
            "Processes that report",
            "Processes with a heartbeat at each destination. If it falls while the service runs, "
            "exports fail: run `mlmonitor doctor` where the service runs.",
            (
                Query(
                    total(select(catalog.HEARTBEAT), f"{MODEL}, destination"),
                    "{{<bare:model.name>}} {{destination}}",
                ),
            ),
            decimals=0,
            width=8,
        ),
        Panel(
            "timeseries",
            "Rows dropped, internal errors",
            "Good: 0. Dropped rows were predicted but not counted because the buffer was full: "
            "raise Config.buffer_rows or give the process more CPU. Internal errors are faults of "
            "the library, kept from the service: the log has the first of them.",
            (
                Query(total(added(select(catalog.DROPPED))), "dropped " + _MODEL_LEGEND),
                Query(total(added(select(catalog.FAULTS))), "errors " + _MODEL_LEGEND),
            ),
            decimals=0,
            width=8,
        ),
        Panel(
            "timeseries",
            "Points sent, by outcome",
            "Outcomes of the points of earlier exports. Good: all accepted. The destination "
            "refused the rejected ones; failed ones could not be delivered.",
            (
                Query(
                    total(added(select(catalog.EXPORT_POINTS)), "destination, outcome"),
                    "{{destination}} {{outcome}}",
                ),
            ),
            decimals=0,
            width=8,
        ),
        Panel(
            "timeseries",
            "Events, by outcome",
            "Events of the event log in the window. Good: all delivered. Dropped ones found no "
            "room or time: check the broker. Refused ones are too large or not permitted.",
            (Query(total(added(select(catalog.EVENTS)), "sink, outcome"), "{{sink}} {{outcome}}"),),
            decimals=0,
            width=8,
        ),
        Panel(
            "timeseries",
            "Memory of the aggregates",
            "Upper bound in each process. It does not grow with traffic.",
            (
                Query(
                    highest(select(catalog.MEMORY), f"{MODEL}, {PROCESS}"),
                    _MODEL_LEGEND + " {{instance}}",
                ),
            ),
            unit="bytes",
            width=8,
        ),
        Panel(
            "timeseries",
            "Series of each process",
            "Series sent, and those left out because Config.max_series was reached. Good: none "
            "left out.",
            (
                Query(
                    total(select(catalog.SERIES), f"{MODEL}, state"),
                    "{{<bare:model.name>}} {{state}}",
                ),
            ),
            decimals=0,
            width=8,
        ),
        Panel(
            "timeseries",
            "Age of the model",
            "Time since the reference was trained.",
            (Query(highest(select(catalog.MODEL_AGE)), _MODEL_LEGEND),),
            unit="s",
            width=8,
        ),
    ),
)

_TRAINED = Row(
    "The model",
    (
        Panel(
            "table",
            "Training",
            "How each version was trained: the version that it replaced, the number of rows, and "
            "the duration. Good: the newest version answers; see *Predictions*.",
            (
                Query(
                    highest(select(catalog.TRAINING_PARENT), f"{MODEL}, <parent.version>"),
                    instant=True,
                ),
                Query(highest(select(catalog.TRAINING_ROWS)), instant=True),
                Query(highest(select(catalog.TRAINING_DURATION)), instant=True),
                Query(highest(select(catalog.MODEL_AGE)), instant=True),
            ),
            columns=(
                ("<bare:model.name>", "model"),
                ("<bare:model.version>", "version"),
                ("<bare:parent.version>", "replaced"),
                ("Value #B", "rows"),
                ("Value #C", "training took (s)"),
                ("Value #D", "age (s)"),
            ),
            width=24,
            height=6,
        ),
    ),
)

_PROCESS_LEGEND = "{{instance}}"


def _loader(metric: catalog.MetricSpec) -> str:
    return select(metric, chosen="")


_LOADER = Row(
    "Loader of the event store",
    (
        Panel(
            "timeseries",
            "Events not read yet",
            "For the partitions that each loader owns. Good: near 0. If it keeps growing, there "
            "are too few loaders or the database is too slow: start another loader with the same "
            "group.",
            (Query(highest(_loader(catalog.LOADER_LAG), PROCESS), _PROCESS_LEGEND),),
            decimals=0,
            width=8,
        ),
        Panel(
            "timeseries",
            "Time since the last commit",
            "Good: a few seconds while events arrive. If it grows with the lag, the database does "
            "not answer: the loader's log names the error.",
            (Query(highest(_loader(catalog.LOADER_COMMIT_AGE), PROCESS), _PROCESS_LEGEND),),
            unit="s",
            width=8,
        ),
        Panel(
            "timeseries",
            "Partitions owned",
            "By loader. Good: all partitions are owned, evenly distributed.",
            (Query(highest(_loader(catalog.LOADER_PARTITIONS), PROCESS), _PROCESS_LEGEND),),
            decimals=0,
            width=8,
        ),
        Panel(
            "timeseries",
            "Events loaded, by schema and outcome",
            "In the window. Replayed ones were already stored, which does no harm. Dead letters "
            "could not be read: `mlmonitor store status` counts them by reason.",
            (
                Query(
                    total(added(_loader(catalog.LOADER_EVENTS)), "schema, outcome"),
                    "{{schema}} {{outcome}}",
                ),
            ),
            decimals=0,
            width=12,
        ),
        Panel(
            "timeseries",
            "Commits and failed attempts",
            "Batches committed in the window, and attempts that failed. Good: no failed attempt.",
            (
                Query(total(added(_loader(catalog.LOADER_BATCHES)), "job"), "commits"),
                Query(total(added(_loader(catalog.LOADER_OUTAGES)), "job"), "failed"),
            ),
            decimals=0,
            width=12,
        ),
    ),
)

OVERVIEW = Board(
    "mlmonitor-overview",
    "mlmonitor: overview",
    "Traffic, failures, latency, what has changed, and the health of the monitoring itself.",
    (_WELL, _TRAFFIC, _CHANGES, _TRAINED, _HEALTH, _LOADER),
    variables=model_variables(),
)
