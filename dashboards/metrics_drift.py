"""The drift dashboard: what has changed since training, its evidence, its effect on predictions."""

from metrics_variables import field_variables
from mlmonitor import catalog
from model import Board, Choice, Panel, Query, Row
from promql import (
    CHOSEN_FIELDS,
    FIELD,
    MODEL,
    bin_counts,
    field_mean,
    highest,
    model_mean,
    psi,
    psi_threshold,
    reference_counts,
    select,
)

_MODEL_LEGEND = "{{<bare:model.name>}} {{<bare:model.version>}}"
_LEGEND = _MODEL_LEGEND + " {{role}} {{field}}"
_COUNTS = bin_counts(CHOSEN_FIELDS), reference_counts(CHOSEN_FIELDS)
_MEASURE = 'measure=~"$measure"'


def _averages(role: str, title: str, description: str) -> Panel:
    chosen = f'role="{role}"' + (',field=~"$field"' if role == "feature" else "")
    return Panel(
        "timeseries",
        title,
        description,
        (
            Query(
                highest(select(catalog.REFERENCE_MEAN, chosen), FIELD),
                "training average {{field}} " + _MODEL_LEGEND,
            ),
            Query(field_mean(catalog.MEAN, chosen), "live average {{field}} " + _MODEL_LEGEND),
        ),
    )


_AVERAGES = Row(
    "Averages, live and at training",
    (
        _averages(
            "prediction",
            "Predictions: training average and live average",
            "Good: the lines stay close. A live average that moves away means that the model sees "
            "different rows, or that it predicts differently: the panels below say which.",
        ),
        _averages(
            "feature",
            "Features: training average and live average",
            "The numeric features selected above, over all processes, weighted by their rows.",
        ),
    ),
)

_FLEET = Row(
    "Drift of the whole fleet",
    (
        Panel(
            "timeseries",
            "Population stability index, by field",
            "The PSI of all processes' rows in the window, from summed counts, against the "
            "reference. Good: below its threshold, which one window in a hundred exceeds by "
            "chance, and below 0.1, the size that matters in practice. Select a field in the "
            "table to see what has changed in it.",
            (Query(psi(*_COUNTS), _LEGEND),),
            decimals=3,
            warn_above=0.1,
        ),
        Panel(
            "table",
            "Fields",
            "PSI of the window and its 99% threshold without drift, over all processes; the "
            "evidence and alert of the process with the most evidence. An alert needs both: "
            "evidence of a change, and a distance beyond the tolerance.",
            (
                Query(psi(*_COUNTS), instant=True),
                Query(psi_threshold(*_COUNTS), instant=True),
                Query(highest(select(catalog.DRIFT_EVIDENCE, CHOSEN_FIELDS), FIELD), instant=True),
                Query(highest(select(catalog.DRIFT_ALERT, CHOSEN_FIELDS), FIELD), instant=True),
            ),
            columns=(
                ("<bare:model.name>", "model"),
                ("<bare:model.version>", "version"),
                ("field", "field"),
                ("role", "role"),
                ("Value #A", "PSI"),
                ("Value #B", "threshold"),
                ("Value #C", "evidence (log10)"),
                ("Value #D", "alert"),
            ),
            decimals=3,
            links_to_field=True,
        ),
    ),
)

_SCORES = Row(
    "Scores, thresholds, evidence",
    (
        Panel(
            "timeseries",
            "Scores",
            "The selected measure of the window, in the process where it is highest. Compare it "
            "with the threshold beside it: small windows have large scores by chance.",
            (
                Query(
                    highest(
                        select(catalog.DRIFT_SCORE, CHOSEN_FIELDS, _MEASURE), f"{FIELD}, measure"
                    ),
                    _LEGEND + " {{measure}}",
                ),
            ),
            decimals=3,
            width=8,
        ),
        Panel(
            "timeseries",
            "Thresholds",
            "Without drift, one window in a hundred of this size exceeds this value.",
            (
                Query(
                    highest(
                        select(catalog.DRIFT_THRESHOLD, CHOSEN_FIELDS, _MEASURE),
                        f"{FIELD}, measure",
                    ),
                    _LEGEND + " {{measure}}",
                ),
            ),
            decimals=3,
            width=8,
        ),
        Panel(
            "timeseries",
            "Evidence",
            "Logarithm to base 10 of the e-value: 4 means that chance produces this value in one "
            "of 10,000 models. It may be read at any time: repetition causes no false alerts.",
            (Query(highest(select(catalog.DRIFT_EVIDENCE, CHOSEN_FIELDS), FIELD), _LEGEND),),
            decimals=1,
            width=8,
        ),
        Panel(
            "timeseries",
            "Rows that count as evidence",
            "Independent rows that the windows of all processes are worth, by field. If they are "
            "far fewer than the predicted rows, rows depend on each other: declare their groups.",
            (
                Query(
                    f"sum by ({FIELD}) ({select(catalog.EFFECTIVE_ROWS, CHOSEN_FIELDS)})", _LEGEND
                ),
            ),
            decimals=0,
            width=12,
            height=6,
        ),
        Panel(
            "timeseries",
            "Drift alerts",
            "1 while the alert fires in any process. Good: 0.",
            (Query(highest(select(catalog.DRIFT_ALERT, CHOSEN_FIELDS), FIELD), _LEGEND),),
            maximum=1,
            width=12,
            height=6,
        ),
    ),
)


def _contribution(metric: catalog.MetricSpec) -> str:
    return model_mean(metric, by=f"{MODEL}, field, prediction")


_WHY = Row(
    "Why the predictions moved",
    (
        Panel(
            "timeseries",
            "Contribution of each feature to the shift of the mean prediction",
            "In units of the prediction: what the changed mix of this feature alone adds to the "
            "mean prediction. A large one names the cause. Retraining helps only if the relation "
            "to the actual changed, not if only the mix did.",
            (
                Query(
                    _contribution(catalog.DRIFT_CONTRIBUTION),
                    "{{prediction}} due to {{field}} " + _MODEL_LEGEND,
                ),
            ),
        ),
        Panel(
            "table",
            "Contributions and their thresholds",
            "Without drift, one window in a hundred exceeds the threshold. Contributions below it "
            "may be chance.",
            (
                Query(_contribution(catalog.DRIFT_CONTRIBUTION), instant=True),
                Query(_contribution(catalog.DRIFT_CONTRIBUTION_THRESHOLD), instant=True),
            ),
            columns=(
                ("<bare:model.name>", "model"),
                ("<bare:model.version>", "version"),
                ("prediction", "prediction"),
                ("field", "field"),
                ("Value #A", "contribution"),
                ("Value #B", "threshold"),
            ),
            links_to_field=True,
        ),
    ),
)

_ATTRIBUTION = Row(
    "What the predictions are made of",
    (
        Panel(
            "timeseries",
            "Mean absolute attribution of each feature",
            "Of the window, and at training. A feature that gains much weight has changed, or the "
            "model relies on it more than before. Processes are weighted by predictions.",
            (
                Query(
                    model_mean(catalog.ATTRIBUTION, 'field=~"$field"', by=f"{MODEL}, field, basis"),
                    "{{field}} {{basis}} " + _MODEL_LEGEND,
                ),
            ),
            width=16,
        ),
        Panel(
            "timeseries",
            "Agreement with the ranking at training",
            "NDCG of the features' ranking by attribution: 1 if it is as at training. Good: near "
            "1. A fall means that the model relies on other features than before.",
            (
                Query(
                    model_mean(catalog.ATTRIBUTION_NDCG, by=MODEL),
                    "{{<bare:model.name>}} {{<bare:model.version>}}",
                ),
            ),
            decimals=3,
            maximum=1,
            width=8,
        ),
    ),
)

DRIFT = Board(
    "mlmonitor-drift",
    "mlmonitor: drift",
    "Features and predictions beside the training data: averages, scores, evidence and causes.",
    (_AVERAGES, _FLEET, _SCORES, _WHY, _ATTRIBUTION),
    variables=(
        *field_variables(),
        Choice("measure", "Measure", ("psi", "psi_debiased", "js", "hellinger", "tv", "ks"), "psi"),
    ),
)
