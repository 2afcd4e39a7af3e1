-- Predictions by day with their labels and realised performance. maturity: the share of its labels
-- that a day has by now, by chain ladder over the newest 60 days, as in the service.
create view mlmonitor.cohort as
with day as (
    select model, model_version, time, sum(predictions)::bigint as predictions,
        (now() at time zone 'UTC')::date - (time at time zone 'UTC')::date as age
    from mlmonitor.rollup_traffic
    where span = 'day' and segment = 'all'
    group by model, model_version, time
),
arrived as (
    select d.model, d.model_version, d.time, d.age, a.delay,
        coalesce((
            select sum(r.labelled) from mlmonitor.rollup_delay r
            where (r.model, r.model_version, r.time) = (d.model, d.model_version, d.time)
                and least(r.delay_days, 59) <= a.delay
        ), 0)::double precision as labelled
    from day d cross join generate_series(0, 59) as a (delay)
    where d.age between 0 and 59 and a.delay < d.age
),
step as (
    select model, model_version, delay,
        sum(labelled) as after,
        (select sum(b.labelled) from arrived b
            where (b.model, b.model_version) = (a.model, a.model_version)
                and b.delay = a.delay - 1 and b.age > a.delay) as before
    from arrived a
    group by model, model_version, delay
),
share as (
    select model, model_version, delay,
        case when bool_or(factor = 0) over later then 0
            else exp(coalesce(sum(ln(nullif(factor, 0))) over later, 0)) end as share
    from (
        select *, case when delay > 0 and after > 0 then before / after else 1 end as factor
        from step
    ) s
    window later as (
        partition by model, model_version order by delay desc
        rows between unbounded preceding and 1 preceding
    )
)
select d.model, d.model_version, d.time, d.predictions,
    coalesce(p.labelled, 0) as labelled,
    coalesce(p.labelled, 0)::double precision / nullif(d.predictions, 0) as labelled_share,
    s.share as maturity, p.mean_predicted, p.mean_actual, p.mae, p.rmse, p.bias, p.accuracy
from day d
left join mlmonitor.performance_by_bucket p
    on (p.model, p.model_version, p.time) = (d.model, d.model_version, d.time)
    and p.dimension = 'all' and p.span = 'day'
left join share s
    on (s.model, s.model_version) = (d.model, d.model_version) and s.delay = least(d.age - 1, 59);
