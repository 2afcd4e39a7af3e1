-- Business figures by day.
create view mlmonitor.kpi_daily as
select model, model_version, segment, name, time, max(unit) as unit,
    sum(figures)::bigint as figures, sum(total) as total,
    sum(total) / nullif(sum(figures), 0) as mean, min(min) as minimum, max(max) as maximum
from mlmonitor.rollup_kpi where span = 'day'
group by model, model_version, segment, name, time;
