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
