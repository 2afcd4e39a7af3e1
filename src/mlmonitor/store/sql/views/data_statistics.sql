-- Count, mean, spread, extremes and quality of every field.
create view mlmonitor.data_statistics as
select model, model_version, reference_id, segment, span, time, role, field,
    sum(valid)::bigint as valid, sum(missing)::bigint as missing,
    sum(nonfinite)::bigint as nonfinite, sum(wrong_type)::bigint as wrong_type,
    sum(out_of_range)::bigint as out_of_range, sum(new_category)::bigint as new_category,
    sum(below)::bigint as below, sum(above)::bigint as above,
    sum(count)::bigint as count,
    max(whole_mean) as mean,
    sqrt(sum(m2 + count * (mean - whole_mean) ^ 2) / nullif(sum(count), 0)) as stddev,
    case when sum(count) > 0 then min(min) end as minimum,
    case when sum(count) > 0 then max(max) end as maximum
from (
    select *, sum(mean * count) over field / nullif(sum(count) over field, 0) as whole_mean
    from mlmonitor.rollup_field
    window field as (
        partition by model, model_version, reference_id, segment, span, time, role, field
    )
) r
group by model, model_version, reference_id, segment, span, time, role, field;
