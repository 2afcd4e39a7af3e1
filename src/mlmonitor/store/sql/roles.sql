-- What the two roles may do. Run after every change of the schema.
grant usage on schema mlmonitor to mlmonitor_loader, mlmonitor_reader;
revoke all on all tables in schema mlmonitor from public, mlmonitor_reader, mlmonitor_loader;
grant select, insert on
    mlmonitor.prediction, mlmonitor.label, mlmonitor.kpi, mlmonitor.alert, mlmonitor.verdict,
    mlmonitor.reference, mlmonitor.reference_bin, mlmonitor.dead_letter, mlmonitor.outcome
    to mlmonitor_loader;
grant select, insert, update on
    mlmonitor.offsets, mlmonitor.active_reference, mlmonitor.rollup_traffic, mlmonitor.rollup_field,
    mlmonitor.rollup_kpi, mlmonitor.rollup_outcome, mlmonitor.rollup_confusion,
    mlmonitor.rollup_delay
    to mlmonitor_loader;
grant select, insert, update, delete on mlmonitor.waiting_label to mlmonitor_loader;
grant select, update on mlmonitor.waiting_check to mlmonitor_loader;
grant select on mlmonitor.active_field to mlmonitor_loader;
grant select on mlmonitor.schema_version to mlmonitor_loader, mlmonitor_reader;
grant execute on function mlmonitor.create_partition(text, date) to mlmonitor_loader;
-- Dashboards see what is summed up, and no single prediction, label or dead letter.
grant select on
    mlmonitor.alert, mlmonitor.verdict, mlmonitor.reference, mlmonitor.reference_bin,
    mlmonitor.active_reference, mlmonitor.data_drift, mlmonitor.data_statistics,
    mlmonitor.prediction_drift, mlmonitor.kpi_daily, mlmonitor.traffic,
    mlmonitor.performance_by_bucket, mlmonitor.anomaly_band, mlmonitor.reference_statistics,
    mlmonitor.cohort
    to mlmonitor_reader;
