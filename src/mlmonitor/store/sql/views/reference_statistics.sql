-- Statistics of the training data, of the reference in use.
create view mlmonitor.reference_statistics as
select r.model, r.model_version, r.reference_id, r.segment, r.role, r.field, r.kind, r.rows,
    r.missing::double precision / nullif(r.rows, 0) as missing_share,
    r.mean, r.stddev, r.min as minimum, r.max as maximum,
    (select (q ->> 1)::double precision from jsonb_array_elements(r.quantiles) as q
        where (q ->> 0)::double precision between 0.2499 and 0.2501 limit 1) as p25,
    (select (q ->> 1)::double precision from jsonb_array_elements(r.quantiles) as q
        where (q ->> 0)::double precision between 0.4999 and 0.5001 limit 1) as median,
    (select (q ->> 1)::double precision from jsonb_array_elements(r.quantiles) as q
        where (q ->> 0)::double precision between 0.7499 and 0.7501 limit 1) as p75,
    r.mean * (r.rows - r.missing) as total, r.trained_at
from mlmonitor.active_reference a
join mlmonitor.reference r using (model, model_version, reference_id);
