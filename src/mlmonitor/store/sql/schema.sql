-- The whole schema, as `mlmonitor store init` makes it; migrations/ lead to the same.
create schema mlmonitor;

create table mlmonitor.schema_version (
    version integer primary key,
    name text not null,
    applied_at timestamptz not null default now()
);

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
    written_by xid8 not null default pg_current_xact_id(),
    primary key (event_id, time)
);
create index waiting_label_by_id on mlmonitor.waiting_label (prediction_id);
create index waiting_label_by_writer on mlmonitor.waiting_label (written_by);

-- A label and its prediction that two transactions store at the same moment do not see each other.
-- A label that waits is therefore looked up again, until all transactions have ended that may have
-- held its prediction meanwhile; from then on, a prediction that arrives finds the label.
-- How far that is done. Labels of transactions before `settled` only wait for new predictions. What
-- transactions before `stored_before` wrote was there when `next_transaction` had not begun.
create table mlmonitor.waiting_check (
    only_one boolean primary key default true check (only_one),
    settled xid8 not null default '0',
    stored_before xid8 not null default '0',
    next_transaction xid8 not null default '0'
);
insert into mlmonitor.waiting_check default values;

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

-- Rollups are kept in the transaction of the rows they count. `span` is hour or day. Loaders that
-- write at once have shards of their own, so that none waits for another; views add them up.
create table mlmonitor.rollup_traffic (
    model text not null,
    model_version text not null,
    segment text not null,
    span text not null,
    time timestamptz not null,
    shard integer not null,
    predictions bigint not null,
    failed bigint not null,
    estimated double precision not null,
    latency_count bigint not null,
    latency_sum double precision not null,
    latency_max double precision not null,
    primary key (model, model_version, segment, span, time, shard)
) with (fillfactor = 50);

create table mlmonitor.rollup_field (
    model text not null,
    model_version text not null,
    reference_id text not null,
    segment text not null,
    span text not null,
    time timestamptz not null,
    role text not null,
    field text not null,
    shard integer not null,
    valid bigint not null,
    missing bigint not null,
    nonfinite bigint not null,
    wrong_type bigint not null,
    out_of_range bigint not null,
    new_category bigint not null,
    below bigint not null,
    above bigint not null,
    count bigint not null,
    mean double precision not null,
    m2 double precision not null,
    min double precision not null,
    max double precision not null,
    bins bigint[] not null,
    primary key (model, model_version, reference_id, segment, span, time, role, field, shard)
) with (fillfactor = 50);

create table mlmonitor.rollup_kpi (
    model text not null,
    model_version text not null,
    segment text not null,
    name text not null,
    span text not null,
    time timestamptz not null,
    shard integer not null,
    unit text not null,
    figures bigint not null,
    total double precision not null,
    min double precision not null,
    max double precision not null,
    primary key (model, model_version, segment, name, span, time, shard)
) with (fillfactor = 50);

-- By the time of prediction. dimension: all, prediction, segment, or a feature with buckets.
create table mlmonitor.rollup_outcome (
    model text not null,
    model_version text not null,
    dimension text not null,
    position integer not null,
    bucket text not null,
    span text not null,
    time timestamptz not null,
    shard integer not null,
    labelled bigint not null,
    numeric_pairs bigint not null,
    predicted double precision not null,
    actual double precision not null,
    absolute double precision not null,
    squared double precision not null,
    signed double precision not null,
    class_pairs bigint not null,
    correct bigint not null,
    primary key (model, model_version, dimension, position, bucket, span, time, shard)
) with (fillfactor = 50);

create table mlmonitor.rollup_confusion (
    model text not null,
    model_version text not null,
    time timestamptz not null,
    actual text not null,
    predicted text not null,
    shard integer not null,
    labelled bigint not null,
    primary key (model, model_version, time, actual, predicted, shard)
) with (fillfactor = 50);

-- Labels by the day of prediction and by how many days later they arrived.
create table mlmonitor.rollup_delay (
    model text not null,
    model_version text not null,
    time timestamptz not null,
    delay_days integer not null,
    shard integer not null,
    labelled bigint not null,
    primary key (model, model_version, time, delay_days, shard)
) with (fillfactor = 50);

create function mlmonitor.add_counts(a bigint[], b bigint[]) returns bigint[]
    language sql immutable parallel safe
    return (
        select array_agg(coalesce(x, 0) + coalesce(y, 0) order by place)
        from unnest(a, b) with ordinality as pair (x, y, place)
    );

-- Counts by position, from 1, as an array of a length.
create function mlmonitor.spread_counts(width integer, positions integer[], counts bigint[])
    returns bigint[]
    language sql immutable parallel safe
    return (
        select array_agg(coalesce(c, 0) order by place)
        from generate_series(1, width) as place left join unnest(positions, counts) as pair (p, c)
            on p = place
    );

-- Temporary tables that a batch is copied into; merge_<schema>() moves it to its table.
create function mlmonitor.begin_staging() returns void
    language plpgsql
as $$
declare
    name text;
begin
    foreach name in array array['prediction', 'label', 'kpi', 'alert', 'verdict', 'reference'] loop
        if to_regclass(format('pg_temp.%I', 'staging_' || name)) is null then
            execute format(
                'create temporary table %I (like mlmonitor.%I) on commit delete rows',
                'staging_' || name, name
            );
            execute format('alter table pg_temp.%I drop column loaded_at', 'staging_' || name);
        end if;
    end loop;
end
$$;

-- Moves rows that are new from a staging table to its own, and leaves just these in it.
create function mlmonitor.keep_new(name text) returns bigint
    language plpgsql
as $$
declare
    columns text;
    key text := case when name in ('alert', 'verdict') then 'event_id' else 'event_id, time' end;
    inserted bigint;
    day date;
begin
    if name not in ('prediction', 'label', 'kpi', 'alert', 'verdict') then
        raise exception 'expected the name of a schema' using errcode = 'undefined_table';
    end if;
    if name in ('prediction', 'label', 'kpi') then
        for day in execute format(
            'select distinct (time at time zone ''UTC'')::date from pg_temp.%I', 'staging_' || name
        ) loop
            perform mlmonitor.create_partition(name, day);
        end loop;
    end if;
    execute format(
        'delete from pg_temp.%1$I a using pg_temp.%1$I b
         where a.event_id = b.event_id and a.ctid > b.ctid', 'staging_' || name
    );
    select string_agg(quote_ident(attname), ', ' order by attnum) into columns
    from pg_attribute
    where attrelid = to_regclass(format('pg_temp.%I', 'staging_' || name))
        and attnum > 0 and not attisdropped;
    execute format(
        'with inserted as (
             insert into mlmonitor.%1$I (%2$s) select %2$s from pg_temp.%3$I order by %4$s
             on conflict do nothing returning event_id
         )
         delete from pg_temp.%3$I s
         where not exists (select from inserted i where i.event_id = s.event_id)',
        name, columns, 'staging_' || name, key
    );
    execute format('select count(*) from pg_temp.%I', 'staging_' || name) into inserted;
    return inserted;
end
$$;

-- Batches of one version share this lock; a reference that becomes active waits for them, and they
-- for it, so that every row is in the rollups once.
create function mlmonitor.lock_version(name text, version text, exclusively boolean) returns void
    language plpgsql
as $$
declare
    key bigint := hashtextextended(name || chr(31) || version, 7);
begin
    if exclusively then
        perform pg_advisory_xact_lock(key);
    else
        perform pg_advisory_xact_lock_shared(key);
    end if;
end
$$;

-- The squares of larger numbers would overflow, and those of smaller ones underflow, both of which
-- are errors. Such numbers are stored as they are; only sums use what is near to them.
create function mlmonitor.tame(x double precision) returns double precision
    language sql immutable parallel safe
    return case when abs(x) < 1e-140 then 0 else greatest(least(x, 1e140), -1e140) end;

create function mlmonitor.roll_up_traffic(writer integer) returns void
    language plpgsql
as $$
begin
    insert into mlmonitor.rollup_traffic as r
    select model, model_version, coalesce(p.segment, 'all'),
        case when grouping(hour) = 0 then 'hour' else 'day' end, coalesce(hour, day), writer,
        count(*), count(*) filter (where status = 'error'), sum(1 / sample),
        count(latency_seconds), coalesce(sum(mlmonitor.tame(latency_seconds)), 0),
        coalesce(max(latency_seconds), 0)
    from (
        select *, date_trunc('hour', time, 'UTC') as hour, date_trunc('day', time, 'UTC') as day
        from pg_temp.staging_prediction
    ) p
    group by model, model_version, grouping sets (
        (hour), (day), (p.segment, hour), (p.segment, day)
    )
    having grouping(p.segment) = 1 or p.segment <> 'all'
    order by 1, 2, 3, 4, 5
    on conflict (model, model_version, segment, span, time, shard) do update set
        predictions = r.predictions + excluded.predictions,
        failed = r.failed + excluded.failed,
        estimated = r.estimated + excluded.estimated,
        latency_count = r.latency_count + excluded.latency_count,
        latency_sum = r.latency_sum + excluded.latency_sum,
        latency_max = greatest(r.latency_max, excluded.latency_max);
end
$$;

-- What a value of a field counts as. Fields of the active references, with their bins as arrays.
create view mlmonitor.active_field as
select r.model, r.model_version, r.reference_id, r.role, r.field,
    r.kind, r.kind in ('numeric', 'datetime') as is_number,
    r.band_low, r.band_high, r.range_low, r.range_high,
    b.width, b.edges, b.negated, b.labels
from mlmonitor.active_reference a
join mlmonitor.reference r using (model, model_version, reference_id)
cross join lateral (
    select count(*)::integer - 1 as width,
        coalesce(array_agg(upper order by position) filter (where upper is not null), '{}') as edges,
        array_agg(-upper order by upper desc) filter (where upper is not null) as negated,
        array_agg(label order by position) as labels
    from mlmonitor.reference_bin b
    where (b.model, b.model_version, b.reference_id, b.segment, b.role, b.field)
        = (r.model, r.model_version, r.reference_id, r.segment, r.role, r.field)
) b
where r.segment = 'all' and not r.withheld and b.width >= 1
    and r.kind in ('numeric', 'datetime', 'categorical', 'boolean');

-- Rolls up the values of a relation with the columns of `prediction`, for one version or for all.
create function mlmonitor.roll_up_fields(
    source text, writer integer, only_model text default null, only_version text default null
) returns void
    language plpgsql set enable_sort = off set work_mem = '64MB'
as $$
begin
    if source not in ('pg_temp.staging_prediction', 'mlmonitor.prediction') then
        raise exception 'expected a relation of predictions' using errcode = 'undefined_table';
    end if;
    execute format($sql$
    with field as materialized (
        select row_number() over ()::integer as number, *
        from mlmonitor.active_field where role in ('feature', 'prediction', 'derived')
    ),
    raw as (
        select f.number, f.is_number, f.width, f.edges, f.negated, f.labels, f.range_low,
            f.range_high, f.band_low, f.band_high, p.segment,
            date_trunc('hour', p.time, 'UTC') as hour, p.invalid ->> f.field as invalid,
            case f.role
                when 'feature' then p.features -> f.field
                when 'derived' then p.derived -> f.field
                else case when f.field = 'prediction'
                    then coalesce(to_jsonb(p.prediction_class), to_jsonb(p.prediction))
                    else coalesce(p.scores -> f.field, p.outputs -> f.field) end
            end as value
        from %s p join field f using (model, model_version)
        where (f.role <> 'prediction' or p.status <> 'error') and ($2 is null or p.model = $2)
            and ($3 is null or p.model_version = $3)
    ),
    value as (
        select *,
            case when is_number and jsonb_typeof(value) = 'number' then value::double precision end
                as x,
            case when not is_number then case jsonb_typeof(value)
                when 'number' then trim_scale((value #>> '{}')::numeric)::text
                when 'string' then value #>> '{}'
                when 'boolean' then value #>> '{}'
            end end as name,
            value is not null and jsonb_typeof(value) <> 'null' as is_given
        from raw
    ),
    placed as (
        select *,
            case
                when x is not null then case
                    when edges = '{}' then 1
                    else cardinality(edges) + 1 - width_bucket(-x, negated)
                end
                when name is not null then coalesce(array_position(labels[1:width], name), width)
                else width + 1
            end as position
        from value
    ),
    cell as (
        select number, segment, hour, position, count(*) as rows,
            count(*) filter (where x between coalesce(range_low, '-infinity')
                    and coalesce(range_high, 'infinity')
                or name is not null and (position < width or labels[width] <> '__new__'))
                as valid,
            count(*) filter (where not is_given and invalid is null) as missing,
            count(*) filter (where not is_given and invalid = 'nonfinite') as nonfinite,
            count(*) filter (where x is null and name is null
                and (is_given or invalid <> 'nonfinite')) as wrong_type,
            count(*) filter (where x < range_low or x > range_high) as out_of_range,
            count(*) filter (where name is not null and position = width
                and labels[width] = '__new__') as new_category,
            count(*) filter (where x < band_low) as below,
            count(*) filter (where x > band_high) as above,
            count(x) as count, coalesce(avg(mlmonitor.tame(x)), 0) as mean,
            coalesce(var_pop(mlmonitor.tame(x)) * count(x), 0) as m2,
            coalesce(min(x), 'infinity') as min, coalesce(max(x), '-infinity') as max
        from placed group by number, segment, hour, position
    ),
    part as materialized (
        select c.*, s.whole, t.span, t.time,
            sum(c.mean * c.count) over field / nullif(sum(c.count) over field, 0) as field_mean
        from cell c
        cross join lateral (
            values ('hour', hour), ('day', date_trunc('day', hour, 'UTC'))
        ) t (span, time)
        cross join lateral (select 'all' union select c.segment) s (whole)
        window field as (partition by c.number, s.whole, t.span, t.time)
    ),
    bins as (
        select p.number, whole, span, time, mlmonitor.spread_counts(
            (select f.width + 1 from field f where f.number = p.number),
            array_agg(position), array_agg(rows)
        ) as bins
        from (
            select number, whole, span, time, position, sum(rows)::bigint as rows
            from part group by number, whole, span, time, position
        ) p
        group by p.number, whole, span, time
    ),
    total as (
        select number, whole, span, time,
            sum(valid) as valid, sum(missing) as missing, sum(nonfinite) as nonfinite,
            sum(wrong_type) as wrong_type, sum(out_of_range) as out_of_range,
            sum(new_category) as new_category, sum(below) as below, sum(above) as above,
            sum(count) as count, coalesce(max(field_mean), 0) as mean,
            sum(m2 + case when count > 0 then count * (mean - field_mean) ^ 2 else 0 end) as m2,
            min(min) as min, max(max) as max
        from part group by number, whole, span, time
    )
    insert into mlmonitor.rollup_field as r
    select f.model, f.model_version, f.reference_id, t.whole, t.span, t.time, f.role, f.field, $1,
        t.valid, t.missing, t.nonfinite, t.wrong_type, t.out_of_range, t.new_category, t.below,
        t.above, t.count, t.mean, t.m2, t.min, t.max, b.bins
    from total t join bins b using (number, whole, span, time) join field f using (number)
    order by 1, 2, 3, 4, 5, 6, 7, 8
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
    $sql$, source) using writer, only_model, only_version;
end
$$;

create function mlmonitor.roll_up_outcomes(
    source text, writer integer, dimensions text[], only_model text default null,
    only_version text default null
) returns void
    language plpgsql
as $$
begin
    if source not in ('pg_temp.fresh_outcome', 'mlmonitor.outcome') then
        raise exception 'expected a relation of outcomes' using errcode = 'undefined_table';
    end if;
    execute format($sql$
    with task as materialized (
        select model, model_version, min(r.task) as task
        from mlmonitor.active_reference
        join mlmonitor.reference r using (model, model_version, reference_id)
        group by model, model_version
    ),
    predicted as materialized (
        select * from mlmonitor.active_field
        where role = 'prediction' and field = 'prediction' and is_number
    ),
    bucket as materialized (
        select a.model, a.model_version, r.field,
            array(select jsonb_array_elements_text(r.buckets)::double precision order by 1) as edges
        from mlmonitor.active_reference a
        join mlmonitor.reference r using (model, model_version, reference_id)
        where r.segment = 'all' and r.role = 'feature' and jsonb_array_length(r.buckets) > 0
    ),
    pair as (
        select o.*, mlmonitor.is_right(
            t.task, o.prediction, o.prediction_class, o.actual, o.actual_class) as is_right
        from %1$s o left join task t using (model, model_version)
        where ($3 is null or o.model = $3) and ($4 is null or o.model_version = $4)
    ),
    placed as (
        select 'all' as dimension, 0 as position, 'all' as bucket, o.* from pair o
        union all
        select 'segment', 0, o.segment, o.* from pair o where o.segment <> 'all'
        union all
        select 'prediction', 0, o.prediction_class, o.*
        from pair o where o.prediction_class is not null
        union all
        select 'prediction', place, b.labels[place], o.*
        from pair o join predicted b using (model, model_version)
        cross join lateral (
            select case when b.edges = '{}' then 1
                else cardinality(b.edges) + 1 - width_bucket(-o.prediction, b.negated) end as place
        ) p
        where o.prediction is not null and o.prediction_class is null
        union all
        select b.field, place, mlmonitor.bucket_name(b.edges, place), o.*
        from pair o
        join bucket b using (model, model_version)
        join mlmonitor.prediction f on f.event_id = o.event_id and f.time = o.time
        cross join lateral (
            select 1 + count(*)::integer as place from unnest(b.edges) as edge
            where edge < (f.features ->> b.field)::double precision
        ) p
        where jsonb_typeof(f.features -> b.field) = 'number'
    )
    insert into mlmonitor.rollup_outcome as r
    select model, model_version, dimension, position, bucket,
        case when grouping(hour) = 0 then 'hour' else 'day' end, coalesce(hour, day), $1,
        count(*), count(error), coalesce(sum(predicted) filter (where error is not null), 0),
        coalesce(sum(true_number) filter (where error is not null), 0),
        coalesce(sum(abs(error)), 0), coalesce(sum(error * error), 0), coalesce(sum(error), 0),
        count(*) filter (where is_right is not null), count(*) filter (where is_right)
    from (
        select *, date_trunc('hour', time, 'UTC') as hour, date_trunc('day', time, 'UTC') as day,
            mlmonitor.tame(prediction) as predicted, mlmonitor.tame(actual) as true_number,
            mlmonitor.tame(prediction) - mlmonitor.tame(actual) as error
        from placed where dimension = any ($2) or '*' = any ($2)
            or '+' = any ($2) and dimension not in ('all', 'segment')
    ) o
    group by model, model_version, dimension, position, bucket, grouping sets ((hour), (day))
    order by 1, 2, 3, 4, 5, 6, 7
    on conflict (model, model_version, dimension, position, bucket, span, time, shard)
    do update set
        labelled = r.labelled + excluded.labelled,
        numeric_pairs = r.numeric_pairs + excluded.numeric_pairs,
        predicted = r.predicted + excluded.predicted,
        actual = r.actual + excluded.actual,
        absolute = r.absolute + excluded.absolute,
        squared = r.squared + excluded.squared,
        signed = r.signed + excluded.signed,
        class_pairs = r.class_pairs + excluded.class_pairs,
        correct = r.correct + excluded.correct
    $sql$, source) using writer, dimensions, only_model, only_version;
end
$$;

-- Whether a class was predicted rightly; null unless predictions are classes. A score above one half
-- means the positive class, as in the service.
create function mlmonitor.is_right(
    task text, prediction double precision, prediction_class text, actual double precision,
    actual_class text
) returns boolean
    language sql immutable parallel safe
    return case
        when prediction_class is not null or actual_class is not null
            then coalesce(prediction_class, prediction::text) = coalesce(actual_class, actual::text)
        when task = 'binary' then (prediction > 0.5) = (actual > 0.5)
        when task = 'multiclass' then prediction = actual
    end;

create function mlmonitor.bucket_name(edges double precision[], place integer) returns text
    language sql immutable parallel safe
    return '(' || coalesce(edges[place - 1]::text, '-inf') || ', '
        || coalesce(edges[place]::text || ']', 'inf)');

create function mlmonitor.roll_up_cohorts(writer integer) returns void
    language plpgsql
as $$
begin
    insert into mlmonitor.rollup_confusion as r
    select model, model_version, date_trunc('day', time, 'UTC'), actual_class, prediction_class,
        writer, count(*)
    from pg_temp.fresh_outcome
    where actual_class is not null and prediction_class is not null
    group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5
    on conflict (model, model_version, time, actual, predicted, shard)
    do update set labelled = r.labelled + excluded.labelled;
    insert into mlmonitor.rollup_delay as r
    select model, model_version, date_trunc('day', time, 'UTC'),
        greatest((labelled_at at time zone 'UTC')::date - (time at time zone 'UTC')::date, 0),
        writer, count(*)
    from pg_temp.fresh_outcome group by 1, 2, 3, 4 order by 1, 2, 3, 4
    on conflict (model, model_version, time, delay_days, shard)
    do update set labelled = r.labelled + excluded.labelled;
end
$$;

-- Adds the outcomes of `fresh_outcome` that are new, and rolls them up. Returns their number.
create function mlmonitor.keep_outcomes(writer integer) returns bigint
    language plpgsql
as $$
declare
    day date;
    inserted bigint;
begin
    for day in select distinct (time at time zone 'UTC')::date from pg_temp.fresh_outcome loop
        perform mlmonitor.create_partition('outcome', day);
    end loop;
    with done as (
        insert into mlmonitor.outcome (
            event_id, time, label_id, labelled_at, model, model_version, segment, prediction,
            prediction_class, actual, actual_class
        )
        select distinct on (event_id, time) event_id, time, label_id, labelled_at, model,
            model_version, segment, prediction, prediction_class, actual, actual_class
        from pg_temp.fresh_outcome order by event_id, time, labelled_at, label_id
        on conflict do nothing returning event_id, time, label_id
    )
    delete from pg_temp.fresh_outcome f
    where not exists (
        select from done d
        where (d.event_id, d.time, d.label_id) = (f.event_id, f.time, f.label_id)
    );
    select count(*) into inserted from pg_temp.fresh_outcome;
    if inserted > 0 then
        perform mlmonitor.roll_up_outcomes('pg_temp.fresh_outcome', writer, array['*']);
        perform mlmonitor.roll_up_cohorts(writer);
        delete from pg_temp.fresh_outcome;
    end if;
    return inserted;
end
$$;

create function mlmonitor.begin_outcomes() returns void
    language plpgsql
as $$
begin
    if to_regclass('pg_temp.fresh_outcome') is null then
        create temporary table fresh_outcome (like mlmonitor.outcome) on commit delete rows;
        alter table pg_temp.fresh_outcome drop column loaded_at;
    end if;
end
$$;

-- Joins labels that wait with predictions of some ids, made between two times.
create function mlmonitor.match_waiting(
    ids text[], earliest timestamptz, latest timestamptz, writer integer
) returns bigint
    language plpgsql
as $$
declare
    matched bigint;
begin
    if not exists (select from mlmonitor.waiting_label) then
        return 0;
    end if;
    perform mlmonitor.begin_outcomes();
    with due as materialized (
        select * from mlmonitor.waiting_label w
        where w.prediction_id = any (ids)
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
    where p.time between earliest and latest;
    delete from mlmonitor.waiting_label w using pg_temp.fresh_outcome f
    where w.event_id = f.label_id and w.time = f.labelled_at;
    return mlmonitor.keep_outcomes(writer);
end
$$;

-- The time of prediction that an id states, if it is a version 7 UUID; it may begin a longer id.
create function mlmonitor.id_time(id text) returns timestamptz
    language sql immutable parallel safe
    return case when id ~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-' then to_timestamp(
        ('x' || lpad(left(id, 8) || substr(id, 10, 4), 16, '0'))::bit(64)::bigint / 1000.0
    ) end;

create function mlmonitor.merge_prediction(writer integer default pg_backend_pid() % 16)
    returns bigint
    language plpgsql
as $$
declare
    inserted bigint;
    version record;
    ids text[];
    earliest timestamptz;
    latest timestamptz;
begin
    for version in
        select distinct model, model_version from pg_temp.staging_prediction order by 1, 2
    loop
        perform mlmonitor.lock_version(version.model, version.model_version, false);
    end loop;
    inserted := mlmonitor.keep_new('prediction');
    perform mlmonitor.roll_up_traffic(writer);
    perform mlmonitor.roll_up_fields('pg_temp.staging_prediction', writer);
    select array_agg(prediction_id), min(time), max(time) into ids, earliest, latest
    from pg_temp.staging_prediction;
    perform mlmonitor.match_waiting(ids, earliest, latest, writer);
    delete from pg_temp.staging_prediction;
    return inserted;
end
$$;

create function mlmonitor.merge_label(writer integer default pg_backend_pid() % 16)
    returns bigint
    language plpgsql
as $$
declare
    inserted bigint := mlmonitor.keep_new('label');
begin
    perform mlmonitor.begin_outcomes();
    delete from pg_temp.staging_label where actual is null and actual_class is null;
    insert into pg_temp.fresh_outcome (
        event_id, time, label_id, labelled_at, model, model_version, segment, prediction,
        prediction_class, actual, actual_class
    )
    select event_id, coalesce(predicted_at, time), event_id, time, model, model_version, segment,
        prediction, prediction_class, actual, actual_class
    from pg_temp.staging_label where prediction_id is null;
    insert into pg_temp.fresh_outcome (
        event_id, time, label_id, labelled_at, model, model_version, segment, prediction,
        prediction_class, actual, actual_class
    )
    select p.event_id, p.time, l.event_id, l.time, p.model, p.model_version, p.segment,
        p.prediction, p.prediction_class, l.actual, l.actual_class
    from (
        select *, coalesce(mlmonitor.id_time(prediction_id) - interval '1 day', '-infinity')
                as earliest,
            coalesce(mlmonitor.id_time(prediction_id) + interval '2 days', 'infinity') as latest
        from pg_temp.staging_label where prediction_id is not null
    ) l
    join mlmonitor.prediction p on p.prediction_id = l.prediction_id and p.model = l.model
        and p.time between l.earliest and l.latest;
    insert into mlmonitor.waiting_label (event_id, time, model, prediction_id, actual, actual_class)
    select event_id, time, model, prediction_id, actual, actual_class
    from pg_temp.staging_label l
    where prediction_id is not null
        and not exists (select from pg_temp.fresh_outcome f where f.label_id = l.event_id)
    on conflict do nothing;
    perform mlmonitor.keep_outcomes(writer);
    delete from pg_temp.staging_label;
    return inserted;
end
$$;

create function mlmonitor.merge_kpi(writer integer default pg_backend_pid() % 16) returns bigint
    language plpgsql
as $$
declare
    inserted bigint := mlmonitor.keep_new('kpi');
begin
    insert into mlmonitor.rollup_kpi as r
    select model, model_version, segment, name,
        case when grouping(hour) = 0 then 'hour' else 'day' end, coalesce(hour, day), writer,
        max(unit), sum(count), sum(tamed), min(tamed / greatest(count, 1)),
        max(tamed / greatest(count, 1))
    from (
        select *, date_trunc('hour', time, 'UTC') as hour, date_trunc('day', time, 'UTC') as day,
            mlmonitor.tame(value) as tamed
        from pg_temp.staging_kpi where value is not null
    ) k
    group by model, model_version, segment, name, grouping sets ((hour), (day))
    order by 1, 2, 3, 4, 5, 6
    on conflict (model, model_version, segment, name, span, time, shard) do update set
        unit = excluded.unit,
        figures = r.figures + excluded.figures,
        total = r.total + excluded.total,
        min = least(r.min, excluded.min),
        max = greatest(r.max, excluded.max);
    delete from pg_temp.staging_kpi;
    return inserted;
end
$$;

create function mlmonitor.merge_alert() returns bigint
    language plpgsql
as $$
declare
    inserted bigint := mlmonitor.keep_new('alert');
begin
    delete from pg_temp.staging_alert;
    return inserted;
end
$$;

create function mlmonitor.merge_verdict() returns bigint
    language plpgsql
as $$
declare
    inserted bigint := mlmonitor.keep_new('verdict');
begin
    delete from pg_temp.staging_verdict;
    return inserted;
end
$$;

-- Adds fields of references. One that is complete now becomes the active one of its version, and
-- if that had none, the rows loaded so far are rolled up.
create function mlmonitor.merge_reference(writer integer default pg_backend_pid() % 16)
    returns bigint
    language plpgsql
as $$
declare
    version record;
    inserted bigint;
    had_one boolean;
begin
    for version in
        select distinct model, model_version from pg_temp.staging_reference order by 1, 2
    loop
        perform mlmonitor.lock_version(version.model, version.model_version, true);
    end loop;
    delete from pg_temp.staging_reference a using pg_temp.staging_reference b
    where (a.model, a.model_version, a.reference_id, a.segment, a.role, a.field)
        = (b.model, b.model_version, b.reference_id, b.segment, b.role, b.field)
        and a.ctid > b.ctid;
    delete from pg_temp.staging_reference a using mlmonitor.reference b
    where (a.model, a.model_version, a.reference_id, a.segment, a.role, a.field)
        = (b.model, b.model_version, b.reference_id, b.segment, b.role, b.field);
    insert into mlmonitor.reference (
        schema_version, event_id, time, model, model_version, instance, reference_id, trained_at,
        reference_rows, task, fields, field, role, kind, segment, rows, missing, mean, stddev, min,
        max, quantiles, importance, withheld, bins, training_metrics, band_low, band_high,
        range_low, range_high, buckets, positive_class
    )
    select schema_version, event_id, time, model, model_version, instance, reference_id, trained_at,
        reference_rows, task, fields, field, role, kind, segment, rows, missing, mean, stddev, min,
        max, quantiles, importance, withheld, bins, training_metrics, band_low, band_high,
        range_low, range_high, buckets, positive_class
    from pg_temp.staging_reference;
    get diagnostics inserted = row_count;
    insert into mlmonitor.reference_bin
    select model, model_version, reference_id, segment, role, field, place, bin ->> 'label',
        (bin ->> 'lower')::double precision, (bin ->> 'upper')::double precision,
        (bin ->> 'count')::bigint
    from pg_temp.staging_reference
    cross join lateral jsonb_array_elements(bins) with ordinality as b (bin, place)
    union all
    select model, model_version, reference_id, segment, role, field,
        jsonb_array_length(bins) + 1, 'missing', null, null, missing
    from pg_temp.staging_reference;
    for version in
        select distinct s.model, s.model_version, s.reference_id
        from pg_temp.staging_reference s
        where s.fields <= (
            select count(*) from mlmonitor.reference r
            where (r.model, r.model_version, r.reference_id, r.segment)
                = (s.model, s.model_version, s.reference_id, 'all')
        )
        order by 1, 2, 3
    loop
        select exists (
            select from mlmonitor.active_reference a
            where (a.model, a.model_version) = (version.model, version.model_version)
        ) into had_one;
        insert into mlmonitor.active_reference (model, model_version, reference_id)
        values (version.model, version.model_version, version.reference_id)
        on conflict (model, model_version)
            do update set reference_id = excluded.reference_id, since = now();
        if not had_one then
            perform mlmonitor.roll_up_fields(
                'mlmonitor.prediction', writer, version.model, version.model_version
            );
            perform mlmonitor.roll_up_outcomes(
                'mlmonitor.outcome', writer, array['+'], version.model, version.model_version
            );
        end if;
    end loop;
    delete from pg_temp.staging_reference;
    return inserted;
end
$$;

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
