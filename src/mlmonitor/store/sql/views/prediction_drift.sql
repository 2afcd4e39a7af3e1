-- Training average, prediction average, drift of the prediction and of the features (figure 2).
create view mlmonitor.prediction_drift as
select p.model, p.model_version, p.reference_id, p.segment, p.span, p.time, p.field,
    p.rows, s.training_mean as training_average, s.mean as prediction_average,
    p.psi as prediction_drift, f.feature_drift, f.largest_feature_drift, f.largest_feature
from mlmonitor.data_drift p
left join mlmonitor.anomaly_band s
    using (model, model_version, reference_id, segment, span, time, role, field)
left join (
    select model, model_version, reference_id, segment, span, time,
        avg(psi) as feature_drift, max(psi) as largest_feature_drift,
        (array_agg(field order by psi desc nulls last))[1] as largest_feature
    from mlmonitor.data_drift where role = 'feature'
    group by model, model_version, reference_id, segment, span, time
) f using (model, model_version, reference_id, segment, span, time)
where p.role = 'prediction';
