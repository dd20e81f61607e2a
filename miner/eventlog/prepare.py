"""Preparing: the derived tables, for touched cases only, equal to a full rebuild at any time."""

from __future__ import annotations

import duckdb

from miner.eventlog import pairing

BATCH_EVENTS = 4_000_000
"""Events derived at once; bounds the memory of a rebuild of any length."""

_OF_VARIANTS = ("variant", "variant_activity", "variant_path")


def prepare_touched(connection: duckdb.DuckDBPyConnection) -> None:
    """Derive the cases of the table `touched` anew, inside the caller's transaction.

    A *retry* is an attempt after the first, as the source counts them, or, where it does not, the
    attempt after a failed one of the same activity. What is done again otherwise is *rework*.
    """
    connection.execute(_BOUNDS)
    _forget_touched(connection)
    connection.execute(_TOUCHED_EVENTS)
    row = connection.execute(_OUT_OF_ORDER).fetchone()
    if row and row[0]:
        connection.execute(_TOUCHED_EVENTS + "order by case_key, timestamp, position, event_key")
    pairing.pair(connection)
    connection.execute(_INSTANCES)
    connection.execute(_TOUCHED_INSTANCES)
    if _some(connection, "started_at is not null"):
        connection.execute(_WAITING_AFTER_OVERLAP)
    failures = _some(connection, "status in ('failed', 'timed_out')")
    if failures and _some(connection, "attempt is null"):
        connection.execute(_RETRIES_AFTER_FAILURE)
    for statement in (_VARIANT_OF_CASE, _NEW_VARIANTS, _NEW_PATHS, _NEW_ACTIVITIES):
        connection.execute(statement)
    for statement in (_ACTIVE, _ODD_EVENTS, _CASES):
        connection.execute(statement)
    for view in ("paired", "touched_event", "touched_instance"):
        connection.execute(f"drop view {view}")
    for table in ("paired_instance", "variant_of_case", "active_of_case", "odd_events"):
        connection.execute(f"drop table if exists {table}")
    connection.execute("drop table touched_bounds")


def rebuild(connection: duckdb.DuckDBPyConnection) -> int:
    """Derive all cases anew, in bounded memory; returns how many there are."""
    for table in ("activity_instance", '"case"', *_OF_VARIANTS):
        connection.execute(f"delete from {table}")
    ranges = connection.execute(_RANGES, {"size": BATCH_EVENTS}).fetchall()
    for low, high in ranges:
        connection.execute(
            "create or replace temp table touched as select distinct case_key "
            "from recorded_event where case_key between $low and $high",
            {"low": low, "high": high},
        )
        prepare_touched(connection)
    connection.execute("drop table if exists touched")
    row = connection.execute('select count(*) from "case"').fetchone()
    return int(row[0]) if row else 0


def _forget_touched(connection: duckdb.DuckDBPyConnection) -> None:
    row = connection.execute(
        'select exists (select 1 from "case" semi join touched using (case_key))'
    ).fetchone()
    if not row or not row[0]:
        return
    connection.execute(
        'create or replace temp table orphaned as select distinct variant_key from "case" '
        "semi join touched using (case_key)"
    )
    for table in ("activity_instance", '"case"'):
        connection.execute(f"delete from {table} where case_key in (select case_key from touched)")
    connection.execute('delete from orphaned where variant_key in (select variant_key from "case")')
    for table in _OF_VARIANTS:
        connection.execute(
            f"delete from {table} where variant_key in (select variant_key from orphaned)"
        )
    connection.execute("drop table orphaned")


def _some(connection: duckdb.DuckDBPyConnection, condition: str) -> bool:
    row = connection.execute(
        f"select exists (select 1 from touched_instance where {condition})"
    ).fetchone()
    return bool(row and row[0])


_RANGES = """
with counted as (
    select case_key, count(*) as events
    from recorded_event
    group by case_key
),
running as (
    select
        case_key,
        sum(events) over (order by case_key rows unbounded preceding) - events as before
    from counted
)
select min(case_key), max(case_key)
from running
group by before // $size
order by before // $size
"""

# Where `touched` holds every case of its range, a range is all that has to be looked up.
_BOUNDS = """
create or replace temp table touched_bounds as
select
    coalesce(min(case_key), 0) as low,
    coalesce(max(case_key), 0) as high,
    count(*) = (
        select count(*)
        from case_identity
        where case_key between (select min(case_key) from touched)
            and (select max(case_key) from touched)
    ) as every
from touched
"""

_IS_TOUCHED = """
case_key between (select low from touched_bounds) and (select high from touched_bounds)
    and ((select every from touched_bounds) or case_key in (select case_key from touched))
"""

_TOUCHED_EVENTS = f"""
create or replace temp view touched_event as
select columns(*)
from recorded_event
where {_IS_TOUCHED}
"""

_OUT_OF_ORDER = """
select count(*)
from (
    select
        case_key < lag(case_key) over ()
        or case_key = lag(case_key) over () and (
            timestamp < lag(timestamp) over ()
            or timestamp = lag(timestamp) over () and (
                position < lag(position) over ()
                or position = lag(position) over () and event_key < lag(event_key) over ()
            )
        ) as is_before
    from touched_event
)
where is_before
"""

_TOUCHED_INSTANCES = f"""
create or replace temp view touched_instance as
select columns(*)
from activity_instance
where {_IS_TOUCHED}
"""

# One streaming pass over instances in the order of their cases; no window here sorts.
_INSTANCES = """
insert into activity_instance by name
with sequenced as (
    select
        columns(*),
        row_number() over () as sequence,
        lag(case_key) over () is distinct from case_key as first_of_case,
        lead(case_key) over () is not distinct from case_key as has_next,
        lead(activity_key) over () as following_activity_key,
        lead(resource_key) over () as following_resource_key,
        lead(coalesce(started_at, completed_at)) over () as following_at,
        lag(completed_at) over () as preceding_at
    from paired
)
select
    process_key,
    case_key,
    (sequence - max(case when first_of_case then sequence end)
        over (rows unbounded preceding) + 1)::integer as number,
    activity_key,
    case when has_next then following_activity_key end as next_activity_key,
    scheduled_at,
    started_at,
    completed_at,
    status,
    attempt,
    coalesce(attempt > 1, false) as retry,
    resource_key,
    case when has_next then following_resource_key end as next_resource_key,
    error_key,
    case when not first_of_case and preceding_at <= started_at
        then epoch_us(started_at) - epoch_us(preceding_at) end as waiting_time,
    case when started_at <= completed_at
        then epoch_us(completed_at) - epoch_us(started_at) - suspended_time end as service_time,
    case when has_next and following_at >= completed_at
        then epoch_us(following_at) - epoch_us(completed_at) end as next_time
from sequenced
"""

# Work that overlaps its predecessor waited since the last completion before its own start.
_WAITING_AFTER_OVERLAP = """
update activity_instance
set waiting_time = epoch_us(found.started_at) - epoch_us(found.ended_at)
from (
    select w.case_key, w.number, w.started_at, e.completed_at as ended_at
    from (
        select case_key, number, started_at
        from touched_instance
        where started_at is not null and waiting_time is null and number > 1
    ) as w
    asof join (
        select case_key, completed_at
        from touched_instance
        where completed_at is not null
    ) as e on e.case_key = w.case_key and w.started_at >= e.completed_at
) as found
where activity_instance.case_key = found.case_key and activity_instance.number = found.number
"""

_RETRIES_AFTER_FAILURE = """
update activity_instance
set retry = true
from (
    select
        case_key,
        number,
        attempt,
        lag(status) over (partition by case_key, activity_key order by number)
            in ('failed', 'timed_out') as after_failure
    from touched_instance
    semi join (
        select distinct case_key
        from touched_instance
        where status in ('failed', 'timed_out')
    ) using (case_key)
) as found
where activity_instance.case_key = found.case_key
    and activity_instance.number = found.number
    and found.attempt is null
    and found.after_failure
"""

# The number in the upper bits puts a list that two threads gathered back into its order.
_VARIANT_OF_CASE = """
create or replace temp table variant_of_case as
select
    process_key,
    case_key,
    list_transform(
        list_sort(list((number::bigint << 24) | activity_key)),
        lambda packed: (packed & 16777215)::integer
    ) as activity_keys
from touched_instance
group by process_key, case_key
"""

_NEW_VARIANTS = """
insert into variant
select
    process_key,
    (select coalesce(max(variant_key), 0) from variant) + row_number() over (order by first_case),
    activity_keys
from (
    select v.process_key, v.activity_keys, min(v.case_key) as first_case
    from (
        select process_key, case_key, activity_keys
        from variant_of_case
        union all
        select c.process_key, t.case_key, []
        from touched as t
        join case_identity as c using (case_key)
        anti join variant_of_case as v using (case_key)
        semi join touched_event as e using (case_key)
    ) as v
    group by v.process_key, v.activity_keys
)
anti join variant using (process_key, activity_keys)
order by first_case
"""

_NEW_PATHS = """
insert into variant_path
select
    process_key,
    variant_key,
    (path >> 32)::integer as activity_key,
    (path & 4294967295)::integer as next_activity_key
from (
    select
        process_key,
        variant_key,
        unnest(list_distinct(list_transform(
            list_zip(activity_keys[:-2], activity_keys[2:]),
            lambda step: (step[1]::bigint << 32) | step[2]
        ))) as path
    from variant
    where variant_key > (select coalesce(max(variant_key), 0) from variant_path)
        and len(activity_keys) > 1
)
"""

_NEW_ACTIVITIES = """
insert into variant_activity
select process_key, variant_key, activity_key, count(*)
from (
    select process_key, variant_key, unnest(activity_keys) as activity_key
    from variant
    where variant_key > (select coalesce(max(variant_key), 0) from variant_activity)
)
group by process_key, variant_key, activity_key
"""

# Events at the time of the one before, and events that stood in their source after later ones.
_ODD_EVENTS = """
create or replace temp table odd_events as
select
    case_key,
    (count(*) filter (where tied))::integer as tied_events,
    (count(*) filter (where late))::integer as late_events
from (
    select
        case_key,
        case_key = lag(case_key) over () and timestamp = lag(timestamp) over () as tied,
        case_key = lag(case_key) over () and load_id = lag(load_id) over ()
            and position < lag(position) over () as late
    from touched_event
)
where tied or late
group by case_key
"""

# Time with any activity running: the union of the instances' intervals.
_ACTIVE = """
create or replace temp table active_of_case as
with running as (
    select
        case_key,
        epoch_us(started_at) as low,
        epoch_us(completed_at) as high
    from touched_instance
    where started_at <= completed_at
),
reached as (
    select
        case_key,
        low,
        high,
        max(high) over (
            partition by case_key order by low, high
            rows between unbounded preceding and 1 preceding
        ) as before
    from running
)
select
    case_key,
    sum(greatest(high - greatest(low, coalesce(before, low)), 0))::bigint as active_time
from reached
group by case_key
"""

_CASES = """
insert into "case" by name
with recorded as (
    select
        case_key,
        min(timestamp) as started_at,
        max(timestamp) as completed_at,
        count(*)::integer as events
    from touched_event
    group by case_key
),
versioned as (
    select case_key, arg_max(version_key, (timestamp, position, event_key)) as version_key
    from touched_event
    where version_key is not null
    group by case_key
),
intervened as (
    select case_key, count(*)::integer as interventions
    from touched_event
    where lifecycle = 'retry'
        and resource_key in (select resource_key from resource where resource_kind = 'human')
    group by case_key
),
done as (
    select
        case_key,
        max(activity_key) filter (where number = 1) as first_activity_key,
        max(activity_key) filter (where next_activity_key is null) as last_activity_key,
        max(status) filter (where next_activity_key is null) as last_status,
        count(*)::integer as instances,
        count(*) filter (where status in ('failed', 'timed_out'))::integer as failed_instances,
        count(*) filter (where status in ('running', 'scheduled')) as open_instances,
        count(*) filter (where retry)::integer as retries,
        sum(service_time)::bigint as processing_time
    from touched_instance
    group by case_key
)
select
    i.process_key,
    i.case_key,
    v.variant_key,
    e.started_at,
    e.completed_at,
    case
        when i.status is not null then i.status
        when d.open_instances > 0 then 'running'
        when d.last_status = 'failed' then 'failed'
        when d.last_status = 'timed_out' then 'timed_out'
        when d.last_status = 'cancelled' then 'cancelled'
        else 'completed'
    end as status,
    k.version_key,
    d.first_activity_key,
    d.last_activity_key,
    epoch_us(e.completed_at) - epoch_us(e.started_at) as cycle_time,
    d.processing_time,
    a.active_time,
    e.events,
    coalesce(d.instances, 0) as instances,
    coalesce(d.failed_instances, 0) as failed_instances,
    coalesce(d.retries, 0) as retries,
    greatest(coalesce(d.instances - len(list_distinct(l.activity_keys)) - d.retries, 0), 0)
        as rework,
    coalesce(h.interventions, 0) as interventions,
    coalesce(o.tied_events, 0) as tied_events,
    coalesce(o.late_events, 0) as late_events
from recorded as e
join case_identity as i using (case_key)
left join versioned as k using (case_key)
left join intervened as h using (case_key)
left join odd_events as o using (case_key)
left join done as d using (case_key)
left join active_of_case as a using (case_key)
left join variant_of_case as l using (case_key)
left join variant as v
    on v.process_key = i.process_key and v.activity_keys = coalesce(l.activity_keys, [])
order by i.case_key
"""
