-- Add counts and moments of fields, given as an array of rows.
insert into mlmonitor.rollup_field as r (
    model, model_version, reference_id, segment, span, time, role, field, shard,
    valid, missing, nonfinite, wrong_type, out_of_range, new_category, below, above,
    count, mean, m2, min, max, bins
)
select row ->> 0, row ->> 1, row ->> 2, row ->> 3, row ->> 4, (row ->> 5)::timestamptz,
    row ->> 6, row ->> 7, %(shard)s,
    (row ->> 8)::bigint, (row ->> 9)::bigint, (row ->> 10)::bigint, (row ->> 11)::bigint,
    (row ->> 12)::bigint, (row ->> 13)::bigint, (row ->> 14)::bigint, (row ->> 15)::bigint,
    (row ->> 16)::bigint, (row ->> 17)::double precision, (row ->> 18)::double precision,
    coalesce((row ->> 19)::double precision, 'infinity'),
    coalesce((row ->> 20)::double precision, '-infinity'),
    array(
        select n::bigint from jsonb_array_elements_text(row -> 21) with ordinality as bin (n, place)
        order by place
    )
from jsonb_array_elements(%(rows)s::jsonb) as row
on conflict (model, model_version, reference_id, segment, span, time, role, field, shard)
do update set
    valid = r.valid + excluded.valid,
    missing = r.missing + excluded.missing,
    nonfinite = r.nonfinite + excluded.nonfinite,
    wrong_type = r.wrong_type + excluded.wrong_type,
    out_of_range = r.out_of_range + excluded.out_of_range,
    new_category = r.new_category + excluded.new_category,
    below = r.below + excluded.below,
    above = r.above + excluded.above,
    count = r.count + excluded.count,
    mean = r.mean + (excluded.mean - r.mean)
        * (excluded.count::double precision / greatest(r.count + excluded.count, 1)),
    m2 = r.m2 + excluded.m2 + (excluded.mean - r.mean) ^ 2 * (r.count::double precision
        * excluded.count / greatest(r.count + excluded.count, 1)),
    min = least(r.min, excluded.min),
    max = greatest(r.max, excluded.max),
    bins = mlmonitor.add_counts(r.bins, excluded.bins)
