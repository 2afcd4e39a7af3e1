-- The distance of every field from the reference: the smoothed PSI and the distances of status().
create view mlmonitor.data_drift as
select model, model_version, reference_id, segment, span, time, role, field,
    sum(rows)::bigint as rows,
    case when max(live) > 0 and max(trained) > 0 then
        sum((rows + 0.5) * (ln(rows + 0.5) - ln(expected + 0.5))) / sum(rows + 0.5)
        - sum((expected + 0.5) * (ln(rows + 0.5) - ln(expected + 0.5))) / sum(expected + 0.5)
    end as psi,
    case when max(live) > 0 and max(trained) > 0 then
        sum((rows + 0.5) * (ln(rows + 0.5) - ln(expected + 0.5))) / sum(rows + 0.5)
        - sum((expected + 0.5) * (ln(rows + 0.5) - ln(expected + 0.5))) / sum(expected + 0.5)
        - (1 / max(live) + 1 / max(trained)) * (count(*) - 1)
    end as psi_debiased,
    case when max(live) > 0 and max(trained) > 0 then
        sqrt(greatest(sum(
            case when q > 0 then q * ln(2 * q / (p + q)) else 0 end
            + case when p > 0 then p * ln(2 * p / (p + q)) else 0 end
        ) / (2 * ln(2.0::double precision)), 0))
    end as jensen_shannon,
    case when max(live) > 0 and max(trained) > 0 then
        sqrt(greatest(sum((sqrt(p) - sqrt(q)) ^ 2) / 2, 0))
    end as hellinger,
    case when max(live) > 0 and max(trained) > 0 then sum(abs(p - q)) / 2 end as total_variation
from (
    select *, rows / nullif(live, 0) as q, expected / nullif(trained, 0) as p
    from (
        select l.*, b.count::double precision as expected,
            sum(l.rows) over field as live,
            sum(b.count::double precision) over field as trained
        from (
            select model, model_version, reference_id, segment, span, time, role, field, position,
                sum(n)::double precision as rows
            from mlmonitor.rollup_field cross join lateral
                unnest(bins) with ordinality as bin (n, position)
            group by model, model_version, reference_id, segment, span, time, role, field, position
        ) l
        join mlmonitor.reference_bin b
            using (model, model_version, reference_id, segment, role, field, position)
        window field as (
            partition by l.model, l.model_version, l.reference_id, l.segment, l.span, l.time,
                l.role, l.field
        )
    ) counted
) shared
where rows + expected > 0
group by model, model_version, reference_id, segment, span, time, role, field;
