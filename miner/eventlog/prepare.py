"""Preparing: the derived tables, for touched cases only, equal to a full rebuild at any time."""

from __future__ import annotations

import duckdb

from miner.eventlog import ordering, pairing, touched, variants_of_cases

BATCH_EVENTS = 4_000_000
"""Events derived at once; bounds the memory of a rebuild of any length."""


def prepare_touched(connection: duckdb.DuckDBPyConnection) -> None:
    """Derive the cases in `touched`, whose events are in `touched_event`, anew.

    Runs inside the caller's transaction. What a person ordered to be begun again is an
    *intervention*. Otherwise a *retry* is an attempt after the first, as the source counts them,
    or, where it does not, the attempt after a failed one of the same activity. What is done again
    otherwise is *rework*; to be scheduled again is not to be done again.
    """
    touched.forget(connection)
    pairing.pair(connection)
    connection.execute(ordering.INSERT[ordering.order(connection)])
    variants_of_cases.assign(connection)
    for statement in (_ACTIVE, _ODD_EVENTS, _REWORK, _CASES):
        connection.execute(statement)
    for table in ("case_variant", "odd_events", "active_of_case", "rework_of_case"):
        connection.execute(f"drop table {table}")
    ordering.let_go(connection)
    pairing.let_go(connection)
    touched.let_go(connection)


def rebuild(connection: duckdb.DuckDBPyConnection) -> int:
    """Derive all cases anew, in bounded memory; returns how many there are."""
    for table in (*touched.OF_CASES, *touched.OF_VARIANTS):
        connection.execute(f"delete from {table}")
    for table in touched.OF_TRACES:
        connection.execute(f"delete from {table} where trace_key > 0")
    ranges = connection.execute(_RANGES, {"size": BATCH_EVENTS}).fetchall()
    for low, high in ranges:
        connection.execute(
            "create or replace temp table touched as select distinct case_key "
            "from recorded_event where case_key between $low and $high",
            {"low": low, "high": high},
        )
        touched.gather(connection)
        prepare_touched(connection)
    connection.execute("drop table if exists touched")
    row = connection.execute('select count(*) from "case"').fetchone()
    return int(row[0]) if row else 0


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
    from ordered
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

# Only where it is not simply every instance but the first of its activity.
_REWORK = """
create or replace temp table rework_of_case as
select case_key, sum(again)::integer as rework
from (
    select
        case_key,
        count(*) filter (where repetition is null and status <> 'scheduled')
            - coalesce(
                arg_min((repetition is null)::integer, number) filter (where status <> 'scheduled'),
                0
            ) as again
    from ordered
    where case_key in (
        select case_key
        from ordered
        where repetition is not null or status = 'scheduled'
    )
    group by case_key, activity_key
)
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
ended as (
    select case_key, status
    from ordered
    where next_activity_key is null and status in ('failed', 'timed_out', 'cancelled')
),
marked as (
    select
        case_key,
        count(*) filter (where status in ('failed', 'timed_out'))::integer as failed_instances,
        count(*) filter (where status in ('running', 'scheduled')) as open_instances,
        count(*) filter (where repetition = 'retry')::integer as retries
    from ordered
    where status in ('failed', 'timed_out', 'running', 'scheduled') or repetition is not null
    group by case_key
),
worked as (
    select case_key, sum(service_time)::bigint as processing_time
    from ordered
    where service_time is not null
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
        when m.open_instances > 0 then 'running'
        when d.status is not null then d.status::varchar::case_status
        else 'completed'
    end as status,
    k.version_key,
    v.first_activity_key,
    v.last_activity_key,
    epoch_us(e.completed_at) - epoch_us(e.started_at) as cycle_time,
    w.processing_time,
    a.active_time,
    e.events,
    v.instances,
    coalesce(m.failed_instances, 0) as failed_instances,
    coalesce(m.retries, 0) as retries,
    coalesce(r.rework, v.repeats) as rework,
    coalesce(h.interventions, 0) as interventions,
    coalesce(o.tied_events, 0) as tied_events,
    coalesce(o.late_events, 0) as late_events
from recorded as e
join case_identity as i using (case_key)
join case_variant as v using (case_key)
left join ended as d using (case_key)
left join marked as m using (case_key)
left join worked as w using (case_key)
left join rework_of_case as r using (case_key)
left join versioned as k using (case_key)
left join intervened as h using (case_key)
left join odd_events as o using (case_key)
left join active_of_case as a using (case_key)
order by i.case_key
"""
