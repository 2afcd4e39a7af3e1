-- Predictions, failures and latency; `estimated` counts those that sampling left out as well.
create view mlmonitor.traffic as
select model, model_version, segment, span, time,
    sum(predictions)::bigint as predictions, sum(failed)::bigint as failed,
    sum(estimated) as estimated,
    sum(failed)::double precision / nullif(sum(predictions), 0) as error_rate,
    sum(latency_sum) / nullif(sum(latency_count), 0) as mean_latency_seconds,
    max(latency_max) as largest_latency_seconds
from mlmonitor.rollup_traffic
group by model, model_version, segment, span, time;
