-- Training average, prediction average, drift of the prediction and of the features.
create view mlmonitor.prediction_drift as
select d.model, d.model_version, d.reference_id, d.segment, d.span, d.time, d.field,
    d.rows, r.mean as training_average, s.mean as prediction_average,
    d.psi as prediction_drift, d.feature_drift, d.largest_feature_drift, d.largest_feature
from (
    select *,
        avg(psi) filter (where role = 'feature') over whole as feature_drift,
        max(psi) filter (where role = 'feature') over whole as largest_feature_drift,
        first_value(case when role = 'feature' then field end) over (
            partition by model, model_version, reference_id, segment, span, time
            order by role = 'feature' desc, psi desc nulls last
        ) as largest_feature
    from mlmonitor.data_drift
    window whole as (partition by model, model_version, reference_id, segment, span, time)
) d
left join lateral (
    select sum(f.mean * f.count) / nullif(sum(f.count), 0) as mean
    from mlmonitor.rollup_field f
    where f.model = d.model and f.model_version = d.model_version
        and f.reference_id = d.reference_id and f.segment = d.segment and f.span = d.span
        and f.time = d.time and f.role = d.role and f.field = d.field
) s on true
left join mlmonitor.reference r
    on r.model = d.model and r.model_version = d.model_version
    and r.reference_id = d.reference_id and r.segment = d.segment and r.role = d.role
    and r.field = d.field
where d.role = 'prediction';
