-- A label and its prediction that two transactions store at the same moment do not see each other.
-- A label that waits is therefore looked up again, until all transactions have ended that may have
-- held its prediction meanwhile; from then on, a prediction that arrives finds the label.
alter table mlmonitor.waiting_label
    add column written_by xid8 not null default pg_current_xact_id();
create index waiting_label_by_writer on mlmonitor.waiting_label (written_by);

-- How far that is done. Labels of transactions before `settled` only wait for new predictions. What
-- transactions before `stored_before` wrote was there when `next_transaction` had not begun.
create table mlmonitor.waiting_check (
    only_one boolean primary key default true check (only_one),
    settled xid8 not null default '0',
    stored_before xid8 not null default '0',
    next_transaction xid8 not null default '0'
);
insert into mlmonitor.waiting_check default values;

-- Joins labels that wait with predictions that were stored at the same moment; returns how many.
-- Without a label that is to be looked up, it reads one row and one index, and writes nothing.
create function mlmonitor.match_missed(writer integer default pg_backend_pid() % 16) returns bigint
    language plpgsql
as $$
declare
    checked mlmonitor.waiting_check;
    snapshot pg_snapshot := pg_current_snapshot();
begin
    select * into checked from mlmonitor.waiting_check;
    if checked.next_transaction <= pg_snapshot_xmax(snapshot) and not exists (
        select from mlmonitor.waiting_label w where w.written_by >= checked.settled
    ) then
        return 0;
    end if;
    select * into checked from mlmonitor.waiting_check for update skip locked;
    if not found then
        return 0; -- another process is at it
    end if;
    snapshot := pg_current_snapshot();
    if checked.next_transaction > pg_snapshot_xmax(snapshot) then
        -- Restored on another server, whose transactions have other numbers.
        update mlmonitor.waiting_label set written_by = pg_current_xact_id();
        checked := row(true, '0', '0', '0');
    end if;
    perform mlmonitor.begin_outcomes();
    with due as materialized (
        select *, coalesce(mlmonitor.id_time(prediction_id) - interval '1 day', '-infinity')
                as earliest,
            coalesce(mlmonitor.id_time(prediction_id) + interval '2 days', 'infinity') as latest
        from mlmonitor.waiting_label w
        where w.written_by >= checked.settled
        for update skip locked
    )
    insert into pg_temp.fresh_outcome (
        event_id, time, label_id, labelled_at, model, model_version, segment, prediction,
        prediction_class, actual, actual_class
    )
    select p.event_id, p.time, w.event_id, w.time, p.model, p.model_version, p.segment,
        p.prediction, p.prediction_class, w.actual, w.actual_class
    from due w join mlmonitor.prediction p
        on p.prediction_id = w.prediction_id and p.model = w.model
        and p.time between w.earliest and w.latest;
    delete from mlmonitor.waiting_label w using pg_temp.fresh_outcome f
    where w.event_id = f.label_id and w.time = f.labelled_at;
    if pg_snapshot_xmin(snapshot) >= checked.next_transaction then
        update mlmonitor.waiting_check set settled = checked.stored_before,
            stored_before = pg_snapshot_xmin(snapshot), next_transaction = pg_snapshot_xmax(snapshot);
    end if;
    return mlmonitor.keep_outcomes(writer);
end
$$;
