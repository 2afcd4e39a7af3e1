-- Live means inside the band mean ± standard deviation of the reference, for data and predictions,
-- and the values outside the band of the service's alerts.
create view mlmonitor.anomaly_band as
select s.model, s.model_version, s.reference_id, s.segment, s.span, s.time, s.role, s.field,
    s.count, s.mean, s.stddev, s.minimum, s.maximum,
    r.mean as training_mean, r.stddev as training_stddev,
    r.mean - r.stddev as lower, r.mean + r.stddev as upper,
    not s.mean between r.mean - r.stddev and r.mean + r.stddev as is_outside,
    r.band_low, r.band_high, s.below, s.above,
    (s.below + s.above)::double precision / nullif(s.count, 0) as outlier_share
from mlmonitor.data_statistics s
join mlmonitor.reference r
    using (model, model_version, reference_id, segment, role, field)
where r.mean is not null;
