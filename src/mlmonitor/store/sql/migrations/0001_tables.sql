create table mlmonitor.prediction (
    schema_version bigint not null,
    event_id uuid not null,
    time timestamptz not null,
    model text not null,
    model_version text not null,
    instance text not null,
    prediction_id text not null,
    latency_seconds double precision,
    status text not null,
    error text,
    segment text not null,
    "group" text,
    trace_id text,
    span_id text,
    prediction double precision,
    prediction_class text,
    scores jsonb not null,
    outputs jsonb not null,
    features jsonb not null,
    derived jsonb not null,
    invalid jsonb not null,
    sample double precision not null,
    loaded_at timestamptz not null default now(),
    primary key (event_id, time)
) partition by range (time);
create index prediction_by_id on mlmonitor.prediction (prediction_id);
create index prediction_by_time on mlmonitor.prediction using brin (time);
create table mlmonitor.prediction_default partition of mlmonitor.prediction default;

create table mlmonitor.label (
    schema_version bigint not null,
    event_id uuid not null,
    time timestamptz not null,
    model text not null,
    model_version text not null,
    instance text not null,
    prediction_id text,
    actual double precision,
    actual_class text,
    prediction double precision,
    prediction_class text,
    predicted_at timestamptz,
    segment text not null,
    loaded_at timestamptz not null default now(),
    primary key (event_id, time)
) partition by range (time);
create index label_by_time on mlmonitor.label using brin (time);
create table mlmonitor.label_default partition of mlmonitor.label default;

create table mlmonitor.kpi (
    schema_version bigint not null,
    event_id uuid not null,
    time timestamptz not null,
    model text not null,
    model_version text not null,
    instance text not null,
    name text not null,
    value double precision,
    count bigint not null,
    unit text not null,
    segment text not null,
    loaded_at timestamptz not null default now(),
    primary key (event_id, time)
) partition by range (time);
create index kpi_by_time on mlmonitor.kpi using brin (time);
create table mlmonitor.kpi_default partition of mlmonitor.kpi default;

create table mlmonitor.alert (
    schema_version bigint not null,
    event_id uuid primary key,
    time timestamptz not null,
    model text not null,
    model_version text not null,
    instance text not null,
    alert_id text not null,
    state text not null,
    field text not null,
    role text not null,
    segment text not null,
    measure text not null,
    value double precision,
    current double precision,
    threshold double precision,
    log10_e_value double precision,
    rows bigint,
    started_at timestamptz,
    reason text not null,
    loaded_at timestamptz not null default now()
);
create index alert_by_time on mlmonitor.alert (model, time);

create table mlmonitor.verdict (
    schema_version bigint not null,
    event_id uuid primary key,
    time timestamptz not null,
    model text not null,
    model_version text not null,
    instance text not null,
    action text not null,
    reasons jsonb not null,
    since timestamptz,
    loaded_at timestamptz not null default now()
);
create index verdict_by_time on mlmonitor.verdict (model, time);

-- A reference is sent field by field; it is complete once `fields` of its segment `all` are here.
create table mlmonitor.reference (
    schema_version bigint not null,
    event_id uuid not null,
    time timestamptz not null,
    model text not null,
    model_version text not null,
    instance text not null,
    reference_id text not null,
    trained_at timestamptz,
    reference_rows bigint,
    task text,
    fields bigint not null,
    field text not null,
    role text not null,
    kind text not null,
    segment text not null,
    rows bigint not null,
    missing bigint not null,
    mean double precision,
    stddev double precision,
    min double precision,
    max double precision,
    quantiles jsonb not null,
    importance double precision,
    withheld boolean not null,
    bins jsonb not null,
    training_metrics jsonb not null,
    band_low double precision,
    band_high double precision,
    range_low double precision,
    range_high double precision,
    buckets jsonb not null,
    positive_class text,
    loaded_at timestamptz not null default now(),
    primary key (model, model_version, reference_id, segment, role, field)
);

create table mlmonitor.reference_bin (
    model text not null,
    model_version text not null,
    reference_id text not null,
    segment text not null,
    role text not null,
    field text not null,
    position integer not null,
    label text not null,
    lower double precision,
    upper double precision,
    count bigint not null,
    primary key (model, model_version, reference_id, segment, role, field, position)
);

-- The reference whose bins the rollups of a version count; its fields are all here.
create table mlmonitor.active_reference (
    model text not null,
    model_version text not null,
    reference_id text not null,
    since timestamptz not null default now(),
    primary key (model, model_version)
);

create table mlmonitor.dead_letter (
    topic text not null,
    partition integer not null,
    kafka_offset bigint not null,
    digest uuid not null,
    reason text not null,
    key bytea,
    value bytea not null,
    bytes bigint not null,
    loaded_at timestamptz not null default now(),
    primary key (topic, partition, kafka_offset, digest)
);

-- Written in the transaction of the rows: the only truth about what is loaded.
create table mlmonitor.offsets (
    consumer_group text not null,
    topic text not null,
    partition integer not null,
    next_offset bigint not null,
    updated_at timestamptz not null default now(),
    primary key (consumer_group, topic, partition)
);

-- Predictions with their actual; the first label of a prediction counts.
create table mlmonitor.outcome (
    event_id uuid not null,
    time timestamptz not null,
    label_id uuid not null,
    labelled_at timestamptz not null,
    model text not null,
    model_version text not null,
    segment text not null,
    prediction double precision,
    prediction_class text,
    actual double precision,
    actual_class text,
    loaded_at timestamptz not null default now(),
    primary key (event_id, time)
) partition by range (time);
create index outcome_by_time on mlmonitor.outcome using brin (time);
create table mlmonitor.outcome_default partition of mlmonitor.outcome default;

-- Labels that wait for their prediction.
create table mlmonitor.waiting_label (
    event_id uuid not null,
    time timestamptz not null,
    model text not null,
    prediction_id text not null,
    actual double precision,
    actual_class text,
    loaded_at timestamptz not null default now(),
    primary key (event_id, time)
);
create index waiting_label_by_id on mlmonitor.waiting_label (prediction_id);

-- A partition for a day, made when its first row arrives. The loader may call this, though it may
-- not create tables. False: the row belongs to the default partition.
create function mlmonitor.create_partition(parent text, day date) returns boolean
    language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    child text := format('%s_%s', parent, to_char(day, 'YYYYMMDD'));
    most constant integer := 5000;
begin
    if parent not in ('prediction', 'label', 'kpi', 'outcome') then
        raise exception 'expected a partitioned table' using errcode = 'undefined_table';
    end if;
    if to_regclass(format('mlmonitor.%I', child)) is not null then
        return true;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('mlmonitor.' || child, 0));
    -- Waiting for an advisory lock refreshes no cache of names: to_regclass would still not know
    -- what another loader has made in the meantime. The table itself does.
    if exists (select from pg_class
               where relname = child and relnamespace = 'mlmonitor'::regnamespace) then
        return true;
    end if;
    if day not between date '1970-01-01' and current_date + 3 then
        return false;
    end if;
    if (select count(*) from pg_inherits
        where inhparent = to_regclass(format('mlmonitor.%I', parent))) >= most then
        return false;
    end if;
    execute format('create table mlmonitor.%I (like mlmonitor.%I including all)', child, parent);
    execute format(
        'alter table mlmonitor.%I attach partition mlmonitor.%I for values from (%L) to (%L)',
        parent, child, day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC'
    );
    return true;
exception
    when check_violation then
        return false; -- the default partition has rows of this day already
end
$$;
revoke all on function mlmonitor.create_partition(text, date) from public;

-- Drops the partitions of days before `oldest`, and deletes such rows of the default partition.
create function mlmonitor.drop_partitions(parent text, oldest date)
    returns table (name text, deleted bigint)
    language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
    child text;
    removed bigint;
begin
    if parent not in ('prediction', 'label', 'kpi', 'outcome') then
        raise exception 'expected a partitioned table' using errcode = 'undefined_table';
    end if;
    for child in
        select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = to_regclass(format('mlmonitor.%I', parent)) order by c.relname
    loop
        if child = parent || '_default' then
            execute format('delete from mlmonitor.%I where time < $1', child)
                using oldest::timestamp at time zone 'UTC';
            get diagnostics removed = row_count;
            if removed > 0 then
                return query select child, removed;
            end if;
        elsif to_date(right(child, 8), 'YYYYMMDD') < oldest then
            execute format('drop table mlmonitor.%I', child);
            return query select child, null::bigint;
        end if;
    end loop;
end
$$;
revoke all on function mlmonitor.drop_partitions(text, date) from public;
