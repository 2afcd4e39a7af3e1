-- Predicted against actual by bucket of the prediction, of a declared feature, or by segment, by
-- the time of prediction. `all` is the whole.
create view mlmonitor.performance_by_bucket as
select model, model_version, dimension, position, bucket, span, time,
    sum(labelled)::bigint as labelled,
    sum(predicted) / nullif(sum(numeric_pairs), 0) as mean_predicted,
    sum(actual) / nullif(sum(numeric_pairs), 0) as mean_actual,
    sum(absolute) / nullif(sum(numeric_pairs), 0) as mae,
    sqrt(sum(squared) / nullif(sum(numeric_pairs), 0)) as rmse,
    sum(signed) / nullif(sum(numeric_pairs), 0) as bias,
    sum(correct)::double precision / nullif(sum(class_pairs), 0) as accuracy
from mlmonitor.rollup_outcome
group by model, model_version, dimension, position, bucket, span, time;
