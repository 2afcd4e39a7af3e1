-- Add counts of calls, given as an array of rows.
insert into mlmonitor.rollup_traffic as r (
    model, model_version, segment, span, time, shard, predictions, failed, estimated,
    latency_count, latency_sum, latency_max
)
select row ->> 0, row ->> 1, row ->> 2, row ->> 3, (row ->> 4)::timestamptz, %(shard)s,
    (row ->> 5)::bigint, (row ->> 6)::bigint, (row ->> 7)::double precision,
    (row ->> 8)::bigint, (row ->> 9)::double precision, (row ->> 10)::double precision
from jsonb_array_elements(%(rows)s::jsonb) as row
on conflict (model, model_version, segment, span, time, shard) do update set
    predictions = r.predictions + excluded.predictions,
    failed = r.failed + excluded.failed,
    estimated = r.estimated + excluded.estimated,
    latency_count = r.latency_count + excluded.latency_count,
    latency_sum = r.latency_sum + excluded.latency_sum,
    latency_max = greatest(r.latency_max, excluded.latency_max)
