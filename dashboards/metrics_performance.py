"""The performance dashboard: measures, buckets, confidence, and the maturity of labels."""

from metrics_variables import model_variables
from mlmonitor import catalog
from model import Board, Panel, Query, Row
from promql import MODEL, added, highest, model_mean, rate, select, total

_LEGEND = "{{<bare:model.name>}} {{<bare:model.version>}}"
_WHOLE = 'field=""'
_BUCKETS = 'field!=""'
_BY_BUCKET = f"{MODEL}, field, bucket"
_IS_CLASS = 'actual="true"'
_LABELLED = f"({total(added(select(catalog.LABELLED, _WHOLE)))} > 0)"


def _quotient(metric: catalog.MetricSpec, matcher: str, by: str = MODEL) -> str:
    """Return a mean since the start: a sum divided by labelled predictions, over all processes."""
    return (
        f"{total(select(metric, matcher), by)}"
        f" / ({total(select(catalog.LABELLED, matcher), by)} > 0)"
    )


def _plot_highest(  # noqa: PLR0913 - by keyword
    metric: catalog.MetricSpec,
    title: str,
    description: str,
    *,
    by: str,
    legend: str,
    width: int,
    matcher: str = "",
    maximum: float | None = None,
) -> Panel:
    """Return a panel with the highest value of a gauge over all processes, one line per `by`."""
    query = Query(highest(select(metric, matcher), by), f"{legend} {_LEGEND}")
    return Panel("timeseries", title, description, (query,), width=width, maximum=maximum)


_ERRORS = Row(
    "Errors of the whole",
    (
        Panel(
            "timeseries",
            "Mean absolute error",
            "For predictions whose label arrived in the window: the summed errors of all "
            "processes, divided by their count. Good: within your objective, and near the error "
            "at training.",
            (
                Query(
                    f"{total(added(select(catalog.ERROR_ABSOLUTE, _WHOLE)))} / {_LABELLED}", _LEGEND
                ),
            ),
            width=8,
        ),
        Panel(
            "timeseries",
            "Root mean squared error",
            "Like the mean absolute error, but large errors weigh more: it grows first if a few "
            "predictions are far off.",
            (
                Query(
                    f"sqrt({total(added(select(catalog.ERROR_SQUARED, _WHOLE)))} / {_LABELLED})",
                    _LEGEND,
                ),
            ),
            width=8,
        ),
        Panel(
            "timeseries",
            "Bias",
            "Mean of predicted minus actual, since the processes' start. Good: near 0. Above 0 "
            "the model predicts too much. Recalibration corrects a steady bias.",
            (Query(_quotient(catalog.ERROR_SIGNED, _WHOLE), _LEGEND),),
            width=8,
        ),
        Panel(
            "timeseries",
            "Measures: realised, estimated, and at training",
            "Every measure of the task: realised over all labelled predictions, estimated over "
            "the window's predictions without labels, and at training; processes weighted by "
            "predictions. An estimate that departs from the value at training is a warning before "
            "labels arrive; it does not see a changed relation between features and actual.",
            (
                Query(
                    model_mean(catalog.PERFORMANCE, by=f"{MODEL}, measure, basis"),
                    "{{measure}} {{basis}} " + _LEGEND,
                ),
            ),
            width=24,
        ),
    ),
)

_RISK = Row(
    "Against the training, and against declared objectives",
    (
        _plot_highest(
            catalog.OBJECTIVE,
            "Declared objectives",
            "The measure over the newest rows with its confidence sequence, and the declared "
            "minimum and maximum. For the process where it is highest. Good: within its bounds.",
            by=f"{MODEL}, measure, statistic",
            legend="{{measure}} {{statistic}}",
            width=16,
        ),
        _plot_highest(
            catalog.OBJECTIVE_ALERT,
            "Objectives that are not met",
            "1 while a declared objective is not met in any process. Good: 0.",
            by=f"{MODEL}, measure",
            legend="{{measure}}",
            maximum=1,
            width=8,
        ),
        _plot_highest(
            catalog.PERFORMANCE_RISK,
            "Measures over the newest labels, and the limit that alerts",
            "The current value with the low and high end of its confidence sequence, which is "
            "valid at any time, the value at training, and the limit. For the process where it is "
            "highest. Good: the whole interval is on the good side of the limit.",
            by=f"{MODEL}, measure, statistic",
            legend="{{measure}} {{statistic}}",
            width=16,
        ),
        _plot_highest(
            catalog.PERFORMANCE_ALERT,
            "Performance alerts",
            "1 while a measure is worse than at training by more than the tolerance, in any "
            "process. Good: 0.",
            by=f"{MODEL}, measure",
            legend="{{measure}}",
            maximum=1,
            width=8,
        ),
    ),
)

_CHALLENGER = f"{MODEL}, challenger"

_CHALLENGERS = Row(
    "Challengers",
    (
        _plot_highest(
            catalog.CHALLENGE_DIFFERENCE,
            "Loss of the challenger minus that of the champion",
            "The mean difference with its confidence sequence, which is valid at any time, and "
            "the limit. The challenger wins once the whole interval is below the limit, the "
            "champion once it is above. For the process where it is highest.",
            by=f"{_CHALLENGER}, statistic",
            legend="{{challenger}} {{statistic}}",
            width=12,
        ),
        _plot_highest(
            catalog.CHALLENGE_DECISION,
            "Decisions",
            "1 once a process has decided for the challenger or for the champion; a decision is "
            "never taken back.",
            by=f"{_CHALLENGER}, decision",
            legend="{{challenger}}: {{decision}}",
            matcher='decision!="undecided"',
            maximum=1,
            width=6,
        ),
        _plot_highest(
            catalog.CHALLENGE_EVIDENCE,
            "Evidence of a difference",
            "Logarithm to base 10 of the e-value. With an alpha of 0.05 a challenge is decided at "
            "1.3. For the process where it is highest.",
            by=_CHALLENGER,
            legend="{{challenger}}",
            width=6,
        ),
        Panel(
            "timeseries",
            "Mean losses",
            "For the champion and the challenger, each over its labelled predictions; processes "
            "weighted by predictions. Good: the model in use has the lower loss.",
            (
                Query(
                    model_mean(catalog.CHALLENGE_LOSS, by=f"{_CHALLENGER}, side"),
                    "{{challenger}}: {{side}} " + _LEGEND,
                ),
            ),
            width=8,
        ),
        _plot_highest(
            catalog.CHALLENGE_SCORES,
            "How predictions differ",
            "With or without labels: the mean difference or the share of rows with another class, "
            "its interval, and the PSI of the distributions. For the process where it is "
            "highest.",
            by=f"{_CHALLENGER}, statistic",
            legend="{{challenger}} {{statistic}}",
            width=8,
        ),
        Panel(
            "timeseries",
            "Predictions and labels of challenges",
            "Per second, by model and by outcome. Good: in shadow, as many rows with both "
            "predictions as predictions of the challenger. Evicted predictions never got a label: "
            "raise the challenger's pending_predictions.",
            (
                Query(
                    total(rate(select(catalog.CHALLENGE_PREDICTIONS)), f"{_CHALLENGER}, side"),
                    "{{challenger}}: {{side}} " + _LEGEND,
                ),
                Query(
                    total(rate(select(catalog.CHALLENGE_LABELS)), f"{_CHALLENGER}, status"),
                    "{{challenger}}: labels {{status}} " + _LEGEND,
                ),
            ),
            unit="reqps",
            width=8,
        ),
    ),
)

_BY = Row(
    "By bucket",
    (
        Panel(
            "barchart",
            "Predicted against actual, by bucket",
            "Mean prediction and mean actual of labelled predictions in each declared bucket. "
            "Good: equal. A bucket in which they differ names the rows that the model gets wrong.",
            (
                Query(
                    f"({total(select(catalog.ACTUAL, _BUCKETS), _BY_BUCKET)}"
                    f" + {total(select(catalog.ERROR_SIGNED, _BUCKETS), _BY_BUCKET)})"
                    f" / {total(select(catalog.LABELLED, _BUCKETS), _BY_BUCKET)}",
                    instant=True,
                ),
                Query(_quotient(catalog.ACTUAL, _BUCKETS, _BY_BUCKET), instant=True),
            ),
            columns=(("bucket", "bucket"), ("Value #A", "predicted"), ("Value #B", "actual")),
        ),
        Panel(
            "table",
            "Errors by bucket",
            "Mean absolute error and bias, in declared buckets and, with an empty field, in bins "
            "of the prediction. With few labels, errors may be large by chance: look at the "
            "count.",
            (
                Query(total(select(catalog.LABELLED), _BY_BUCKET), instant=True),
                Query(_quotient(catalog.ERROR_ABSOLUTE, "", _BY_BUCKET), instant=True),
                Query(_quotient(catalog.ERROR_SIGNED, "", _BY_BUCKET), instant=True),
            ),
            columns=(
                ("<bare:model.name>", "model"),
                ("<bare:model.version>", "version"),
                ("field", "field"),
                ("bucket", "bucket"),
                ("Value #A", "labels"),
                ("Value #B", "mean absolute error"),
                ("Value #C", "bias"),
            ),
            order_by="bucket",
        ),
    ),
)

_CONFUSION = total(select(catalog.CONFUSION), f"{MODEL}, actual, predicted")
_DIAGONAL = (
    f"{_CONFUSION} and on ({MODEL}, actual, predicted) label_replace("
    f"group by ({MODEL}, actual) ({select(catalog.CONFUSION)}),"
    ' "predicted", "$1", "actual", "(.*)")'
)

_CLASSES = Row(
    "Classes",
    (
        Panel(
            "table",
            "Confusion",
            "Labelled predictions by actual class (rows) and predicted class. Good: large numbers "
            "on the diagonal. An off-diagonal cell that grows is a pair of classes mixed up.",
            (Query(total(select(catalog.CONFUSION), "actual, predicted"), instant=True),),
            matrix=("predicted", "actual", "Value"),
            width=8,
        ),
        Panel(
            "timeseries",
            "Accuracy",
            "Share of labelled predictions on the diagonal, over all processes since their start.",
            (
                Query(
                    f"sum by ({MODEL}) ({_DIAGONAL}) / {total(select(catalog.CONFUSION))}", _LEGEND
                ),
            ),
            unit="percentunit",
            maximum=1,
            width=8,
        ),
        Panel(
            "barchart",
            "Calibration",
            "Observed frequency of the class among predictions with a score up to the bin's edge. "
            "Good: the bars rise along the diagonal; below it the scores promise too much.",
            (
                Query(
                    f"{total(select(catalog.SCORE_BIN, _IS_CLASS), 'class, le')}"
                    f" / ({total(select(catalog.SCORE_BIN), 'class, le')} > 0)",
                    instant=True,
                ),
            ),
            unit="percentunit",
            order_by="le",
            columns=(("le", "score up to"), ("class", "class"), ("Value", "observed")),
            width=8,
        ),
    ),
)

_COHORTS = Row(
    "Labels",
    (
        Panel(
            "table",
            "Cohorts and their labels",
            "Predictions by the period they were made in, and those labelled by now. Good: old "
            "cohorts near 100%. A measure of a young cohort covers only its few labelled "
            "predictions.",
            (
                Query(total(select(catalog.COHORT_PREDICTIONS), f"{MODEL}, cohort"), instant=True),
                Query(total(select(catalog.COHORT_LABELLED), f"{MODEL}, cohort"), instant=True),
                Query(
                    f"{total(select(catalog.COHORT_LABELLED), f'{MODEL}, cohort')}"
                    f" / {total(select(catalog.COHORT_PREDICTIONS), f'{MODEL}, cohort')}",
                    instant=True,
                ),
            ),
            columns=(
                ("<bare:model.name>", "model"),
                ("<bare:model.version>", "version"),
                ("cohort", "cohort"),
                ("Value #A", "predictions"),
                ("Value #B", "labelled"),
                ("Value #C", "share"),
            ),
            order_by="cohort",
        ),
        Panel(
            "timeseries",
            "Labels received",
            "Labels per second, by outcome. Late ones arrived after their prediction was evicted: "
            "raise Config.pending_predictions. Unknown ones name no prediction of this service.",
            (
                Query(
                    total(rate(select(catalog.LABELS)), f"{MODEL}, status"), "{{status}} " + _LEGEND
                ),
            ),
            unit="reqps",
            stacked=True,
        ),
        Panel(
            "timeseries",
            "Maturity of old cohorts",
            "Labelled share of cohorts that have almost all labels they will get. Good: steady. "
            "If it falls, labels are getting lost.",
            (Query(model_mean(catalog.MATURITY, by=MODEL), _LEGEND),),
            unit="percentunit",
            maximum=1,
            width=24,
            height=6,
        ),
    ),
)

PERFORMANCE = Board(
    "mlmonitor-performance",
    "mlmonitor: performance",
    "Errors overall and by bucket, challengers, classes and calibration, cohorts and labels.",
    (_ERRORS, _RISK, _CHALLENGERS, _BY, _CLASSES, _COHORTS),
    variables=model_variables(),
    since="now-24h",
)
