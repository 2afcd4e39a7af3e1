"""Dashboards with the paper's figures, from the event store's views, for Grafana's PostgreSQL."""

from model import Board, Choice, Panel, Query, Row, Variable

SOURCE = "grafana-postgresql-datasource"

_CHOSEN = (
    "$__timeFilter({t}.time) and {t}.model in (${{model:sqlstring}})"
    " and {t}.model_version in (${{version:sqlstring}})"
)
_SPAN = " and {t}.segment = ${{segment:sqlstring}} and {t}.span = ${{span:sqlstring}}"
_FIELDS = " and {t}.field in (${{field:sqlstring}})"


def _where(table: str, *, span: bool = True, fields: bool = False) -> str:
    text = _CHOSEN + (_SPAN if span else "") + (_FIELDS if fields else "")
    return text.format(t=table)


def _variables(*, fields: bool = False, single: bool = False) -> tuple[Variable | Choice, ...]:
    models = Variable(
        "model",
        "Model",
        "select distinct model from mlmonitor.traffic order by 1",
        multi=not single,
        all_value=None if single else "",
    )
    versions = Variable(
        "version",
        "Version",
        "select model_version from mlmonitor.traffic where model in (${model:sqlstring})"
        " group by 1 order by max(time) desc",
        multi=not single,
        all_value=None if single else "",
    )
    segments = Variable(
        "segment",
        "Segment",
        "select segment from mlmonitor.traffic where model in (${model:sqlstring})"
        " group by 1 order by segment <> 'all', segment",
        multi=False,
        all_value=None,
    )
    spans = Choice("span", "Span", ("hour", "day"), "hour")
    if not fields:
        return models, versions, segments, spans
    names = Variable(
        "field",
        "Field",
        "select field from mlmonitor.reference_statistics where model in (${model:sqlstring})"
        " group by 1 order by 1",
        multi=not single,
        all_value=None if single else "",
    )
    return models, versions, segments, spans, names


_NAME = "concat_ws(' ', p.model, p.model_version, p.field, v.name)"

_DRIFT_ROWS = (
    Row(
        "Figure 2: the prediction",
        (
            Panel(
                "timeseries",
                "Training average and prediction average",
                "Good: the lines stay close. If they diverge, see whether a feature drifts with "
                "the prediction: then the rows have changed, not the model.",
                (
                    Query(
                        f"select p.time, {_NAME} as metric, v.value\n"
                        "from mlmonitor.prediction_drift p\n"
                        "cross join lateral (values ('training average', p.training_average),"
                        " ('prediction average', p.prediction_average)) as v (name, value)\n"
                        f"where {_where('p')}\norder by p.time"
                    ),
                ),
            ),
            Panel(
                "timeseries",
                "Prediction drift and feature drift",
                "Population stability index of the prediction, the mean of the features', and the "
                "largest of them. Good: below 0.1. Short spans have a larger PSI by chance.",
                (
                    Query(
                        f"select p.time, {_NAME} as metric, v.value\n"
                        "from mlmonitor.prediction_drift p\n"
                        "cross join lateral (values ('prediction drift', p.prediction_drift),"
                        " ('feature drift', p.feature_drift),"
                        " ('largest feature drift', p.largest_feature_drift)) as v (name, value)\n"
                        f"where {_where('p')}\norder by p.time"
                    ),
                ),
                decimals=3,
                warn_above=0.1,
            ),
        ),
    ),
    Row(
        "Figure 3: every field",
        (
            Panel(
                "timeseries",
                "Data drift by field",
                "Population stability index of each field and span against the reference. Good: "
                "below 0.1. Choose a field above to see it alone.",
                (
                    Query(
                        "select d.time, concat_ws(' ', d.model, d.model_version, d.field)"
                        " as metric, d.psi as value\n"
                        "from mlmonitor.data_drift d\n"
                        f"where {_where('d', fields=True)}\norder by d.time"
                    ),
                ),
                decimals=3,
                warn_above=0.1,
            ),
            Panel(
                "table",
                "Newest drift of each field",
                "The last span with rows: the PSI, the PSI without the part that chance adds "
                "(debiased), and other distances. The debiased PSI is near 0 without drift.",
                (
                    Query(
                        "select distinct on (d.model, d.model_version, d.role, d.field)\n"
                        "    d.model, d.model_version as version, d.role, d.field, d.time,\n"
                        "    d.rows, d.psi, d.psi_debiased, d.jensen_shannon, d.hellinger,"
                        " d.total_variation\n"
                        "from mlmonitor.data_drift d\n"
                        f"where {_where('d', fields=True)}\n"
                        "order by d.model, d.model_version, d.role, d.field, d.time desc",
                        instant=True,
                    ),
                ),
                decimals=3,
            ),
        ),
    ),
    Row(
        "Figures 9 and 10: statistics of the data and of the reference",
        (
            Panel(
                "table",
                "Data in the range chosen",
                "Counts, mean and extremes of every field, and its defects. Compare with the "
                "reference beside it: the same field should look similar.",
                (
                    Query(
                        "select s.model, s.model_version as version, s.role, s.field,\n"
                        "    sum(s.count) as values,"
                        " sum(s.mean * s.count) / nullif(sum(s.count), 0) as mean,\n"
                        "    min(s.minimum) as minimum, max(s.maximum) as maximum,\n"
                        "    sum(s.missing) as missing, sum(s.new_category) as new_category,\n"
                        "    sum(s.out_of_range) as out_of_range\n"
                        "from mlmonitor.data_statistics s\n"
                        f"where {_where('s', fields=True)}\n"
                        "group by 1, 2, 3, 4 order by 1, 2, 3, 4",
                        instant=True,
                    ),
                ),
            ),
            Panel(
                "table",
                "Reference",
                "The data that the model was trained on, with which everything above is compared. "
                "If it is old, see whether a newer reference was never activated.",
                (
                    Query(
                        "select r.model, r.model_version as version, r.role, r.field, r.rows,"
                        " r.mean,\n"
                        "    r.stddev, r.minimum, r.p25, r.median, r.p75, r.maximum,"
                        " r.missing_share, r.trained_at\n"
                        "from mlmonitor.reference_statistics r\n"
                        "where r.model in (${model:sqlstring})"
                        " and r.model_version in (${version:sqlstring})\n"
                        "    and r.segment = ${segment:sqlstring}"
                        " and r.field in (${field:sqlstring})\n"
                        "order by 1, 2, 3, 4",
                        instant=True,
                    ),
                ),
            ),
        ),
    ),
    Row(
        "Alerts and verdicts",
        (
            Panel(
                "table",
                "Alerts in the selected range",
                "Newest first. Empty is good. The reason says what has changed, and by how much.",
                (
                    Query(
                        "select a.time, a.model, a.model_version as version, a.state, a.role,"
                        " a.field, a.measure, a.value, a.threshold, a.reason\n"
                        "from mlmonitor.alert a\n"
                        f"where {_where('a', span=False)}\norder by a.time desc limit 200",
                        instant=True,
                    ),
                ),
            ),
            Panel(
                "table",
                "Verdicts in the selected range",
                "What the monitor advised, newest first. Good: keep.",
                (
                    Query(
                        "select v.time, v.model, v.model_version as version, v.action,"
                        " v.reasons::text as reasons, v.since\n"
                        "from mlmonitor.verdict v\n"
                        f"where {_where('v', span=False)}\norder by v.time desc limit 200",
                        instant=True,
                    ),
                ),
            ),
        ),
    ),
)

_KPI_ROWS = (
    Row(
        "Figure 4: business figures",
        (
            Panel(
                "timeseries",
                "Totals by day",
                "Claimed amounts, savings, market values: the sum of each business figure. Compare "
                "with the same day of last week before you conclude.",
                (
                    Query(
                        "select k.time, concat_ws(' ', k.model, k.model_version, k.name, k.unit)"
                        " as metric, k.total as value\n"
                        "from mlmonitor.kpi_daily k\n"
                        f"where {_where('k', span=False)}"
                        " and k.segment = ${segment:sqlstring}\norder by k.time"
                    ),
                ),
            ),
            Panel(
                "timeseries",
                "Means by day",
                "Each business figure for a single prediction.",
                (
                    Query(
                        "select k.time, concat_ws(' ', k.model, k.model_version, k.name, k.unit)"
                        " as metric, k.mean as value\n"
                        "from mlmonitor.kpi_daily k\n"
                        f"where {_where('k', span=False)}"
                        " and k.segment = ${segment:sqlstring}\norder by k.time"
                    ),
                ),
            ),
            Panel(
                "timeseries",
                "Fields: mean by span",
                "The fields selected above, such as the claimed amount, and the model's "
                "prediction.",
                (
                    Query(
                        "select s.time, concat_ws(' ', s.model, s.model_version, s.role, s.field)"
                        " as metric, s.mean as value\n"
                        "from mlmonitor.data_statistics s\n"
                        f"where {_where('s')} and s.mean is not null"
                        " and (s.role = 'prediction' or s.field in (${field:sqlstring}))\n"
                        "order by s.time"
                    ),
                ),
            ),
            Panel(
                "timeseries",
                "Predictions and failures",
                "Rows predicted in each span, and calls that failed. A gap means that the service "
                "got no calls, or that its events did not arrive.",
                (
                    Query(
                        "select t.time, concat_ws(' ', t.model, t.model_version, v.name)"
                        " as metric, v.value\n"
                        "from mlmonitor.traffic t\n"
                        "cross join lateral (values ('predictions', t.predictions),"
                        " ('failed', t.failed)) as v (name, value)\n"
                        f"where {_where('t')}\norder by t.time"
                    ),
                ),
            ),
        ),
    ),
)

_DIMENSION = Variable(
    "dimension",
    "Buckets of",
    "select dimension from mlmonitor.performance_by_bucket where model in (${model:sqlstring})"
    " and dimension <> 'all' group by 1 order by 1",
    multi=False,
    all_value=None,
)
_BUCKETS = (
    "from mlmonitor.performance_by_bucket b\n"
    f"where {_where('b', span=False)} and b.span = 'day'"
    " and b.dimension = ${dimension:sqlstring}\n"
)

_PERFORMANCE_ROWS = (
    Row(
        "Figure 5: by bucket",
        (
            Panel(
                "barchart",
                "Predicted against actual, by bucket",
                "Mean prediction and mean actual of labelled predictions made in the selected "
                "range. Good: equal. A bucket in which they differ names the rows that the model "
                "gets wrong.",
                (
                    Query(
                        "select b.bucket,\n"
                        "    sum(b.mean_predicted * b.labelled) / nullif(sum(b.labelled), 0)"
                        " as predicted,\n"
                        "    sum(b.mean_actual * b.labelled) / nullif(sum(b.labelled), 0)"
                        " as actual\n"
                        f"{_BUCKETS}group by b.position, b.bucket order by b.position",
                        instant=True,
                    ),
                ),
            ),
            Panel(
                "table",
                "Errors by bucket",
                "With few labels, errors may be large by chance: look at their number first.",
                (
                    Query(
                        "select b.model, b.model_version as version, b.bucket,"
                        " sum(b.labelled) as labelled,\n"
                        "    sum(b.mae * b.labelled) / nullif(sum(b.labelled), 0) as mae,\n"
                        "    sqrt(sum(b.rmse ^ 2 * b.labelled) / nullif(sum(b.labelled), 0))"
                        " as rmse,\n"
                        "    sum(b.bias * b.labelled) / nullif(sum(b.labelled), 0) as bias,\n"
                        "    sum(b.accuracy * b.labelled) / nullif(sum(b.labelled), 0)"
                        " as accuracy\n"
                        f"{_BUCKETS}group by 1, 2, b.position, b.bucket"
                        " order by 1, 2, b.position",
                        instant=True,
                    ),
                ),
                decimals=3,
            ),
        ),
    ),
    Row(
        "Over time",
        (
            Panel(
                "timeseries",
                "Errors by day of prediction",
                "Over all labelled predictions of each day. The newest days have few labels yet: "
                "see their maturity beside it.",
                (
                    Query(
                        "select c.time, concat_ws(' ', c.model, c.model_version, v.name)"
                        " as metric, v.value\n"
                        "from mlmonitor.cohort c\n"
                        "cross join lateral (values ('mae', c.mae), ('rmse', c.rmse),"
                        " ('bias', c.bias), ('accuracy', c.accuracy)) as v (name, value)\n"
                        f"where {_where('c', span=False)} and v.value is not null\n"
                        "order by c.time"
                    ),
                ),
            ),
            Panel(
                "timeseries",
                "Labels that arrived, and that are expected by now",
                "The labelled share of each day's predictions, and the share of its labels that "
                "earlier days had at the same age. Good: both rise with age.",
                (
                    Query(
                        "select c.time, concat_ws(' ', c.model, c.model_version, v.name)"
                        " as metric, v.value\n"
                        "from mlmonitor.cohort c\n"
                        "cross join lateral (values ('labelled', c.labelled_share),"
                        " ('maturity', c.maturity)) as v (name, value)\n"
                        f"where {_where('c', span=False)}\norder by c.time"
                    ),
                ),
                unit="percentunit",
                maximum=1,
            ),
        ),
    ),
)


def _band(role: str, title: str, of_field: str) -> Panel:
    return Panel(
        "timeseries",
        title,
        "The mean of each span inside the trained mean plus and minus one standard deviation. "
        "Good: inside. A mean that leaves the band has moved by more than the usual spread of "
        "single values.",
        (
            Query(
                "select a.time, v.name as metric, v.value\n"
                "from mlmonitor.anomaly_band a\n"
                "cross join lateral (values ('lower', a.lower), ('upper', a.upper),"
                " ('trained', a.training_mean), ('actual', a.mean)) as v (name, value)\n"
                f"where {_where('a')} and a.role = '{role}'{of_field}\norder by a.time"
            ),
        ),
        band=("lower", "upper"),
        dashed=("trained",),
    )


_ANOMALY_ROWS = (
    Row(
        "Figure 6: anomalies",
        (
            _band("feature", "Data in its band", " and a.field = ${field:sqlstring}"),
            _band("prediction", "Predictions in their band", ""),
            Panel(
                "timeseries",
                "Values outside the service's band, by field",
                "Share of values beyond the mean plus and minus k standard deviations. Good: "
                "steady, near the share at training. A jump names the field to look at.",
                (
                    Query(
                        "select a.time, concat_ws(' ', a.role, a.field) as metric,"
                        " a.outlier_share as value\n"
                        "from mlmonitor.anomaly_band a\n"
                        f"where {_where('a')}\norder by a.time"
                    ),
                ),
                unit="percentunit",
            ),
            Panel(
                "table",
                "Spans outside the band",
                "Fields whose mean left the band, newest first. Empty is good.",
                (
                    Query(
                        "select a.time, a.role, a.field, a.count, a.mean, a.lower, a.upper\n"
                        "from mlmonitor.anomaly_band a\n"
                        f"where {_where('a')} and a.is_outside\norder by a.time desc limit 200",
                        instant=True,
                    ),
                ),
            ),
        ),
    ),
)


def _board(name: str, title: str, about: str, rows: tuple[Row, ...], *more: Variable) -> Board:
    single = name == "anomalies"
    variables = _variables(fields=name != "performance", single=single)
    return Board(
        f"mlmonitor-sql-{name}",
        f"mlmonitor events: {title}",
        about + " From the event store.",
        rows,
        source=SOURCE,
        variables=(*variables, *more),
        tag="mlmonitor-events",
        since="now-30d",
    )


SQL_BOARDS: tuple[Board, ...] = (
    _board("drift", "drift", "Predictions and data, compared with training.", _DRIFT_ROWS),
    _board("kpis", "KPIs", "Business figures by day.", _KPI_ROWS),
    _board(
        "performance",
        "performance",
        "Predicted against actual, by bucket and by day.",
        _PERFORMANCE_ROWS,
        _DIMENSION,
    ),
    _board("anomalies", "anomalies", "Data and predictions in their bands.", _ANOMALY_ROWS),
)
