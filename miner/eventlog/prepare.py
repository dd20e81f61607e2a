"""Preparing: the derived tables, for touched cases only, equal to a full rebuild at any time."""

from __future__ import annotations

import duckdb

from miner.eventlog import pairing, touched, variants_of_cases

BATCH_EVENTS = 4_000_000
"""Events derived at once; bounds the memory of a rebuild of any length."""


def prepare_touched(connection: duckdb.DuckDBPyConnection) -> None:
    """Derive the cases in `touched`, whose events are in `touched_event`, anew.

    Runs inside the caller's transaction. A *retry* is an attempt after the first, as the source
    counts them, or, where it does not, the attempt after a failed one of the same activity. What is
    done again otherwise is *rework*.
    """
    touched.forget(connection)
    pairing.pair(connection)
    connection.execute(_ORDERED)
    if _some(connection, "started_at is not null"):
        connection.execute(_WAITING_AFTER_OVERLAP)
    failures = _some(connection, "status in ('failed', 'timed_out')")
    if failures and _some(connection, "attempt is null"):
        connection.execute(_RETRIES_AFTER_FAILURE)
    connection.execute("insert into activity_instance by name from ordered")
    variants_of_cases.assign(connection)
    for statement in (_ACTIVE, _ODD_EVENTS, _CASES):
        connection.execute(statement)
    connection.execute("drop view paired")
    for table in ("touched_event", "paired_instance", "ordered", "case_variant", "odd_events"):
        connection.execute(f"drop table if exists {table}")
    connection.execute("drop table active_of_case")


def rebuild(connection: duckdb.DuckDBPyConnection) -> int:
    """Derive all cases anew, in bounded memory; returns how many there are."""
    for table in ("activity_instance", '"case"', *touched.OF_VARIANTS):
        connection.execute(f"delete from {table}")
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


def _some(connection: duckdb.DuckDBPyConnection, condition: str) -> bool:
    row = connection.execute(f"select exists (select 1 from ordered where {condition})").fetchone()
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

# One streaming pass over instances in the order of their cases; no window here sorts.
_ORDERED = """
create or replace temp table ordered as
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
update ordered
set waiting_time = epoch_us(found.started_at) - epoch_us(found.ended_at)
from (
    select w.case_key, w.number, w.started_at, e.completed_at as ended_at
    from (
        select case_key, number, started_at
        from ordered
        where started_at is not null and waiting_time is null and number > 1
    ) as w
    asof join (
        select case_key, completed_at
        from ordered
        where completed_at is not null
    ) as e on e.case_key = w.case_key and w.started_at >= e.completed_at
) as found
where ordered.case_key = found.case_key and ordered.number = found.number
"""

_RETRIES_AFTER_FAILURE = """
update ordered
set retry = true
from (
    select
        case_key,
        number,
        attempt,
        lag(status) over (partition by case_key, activity_key order by number)
            in ('failed', 'timed_out') as after_failure
    from ordered
    semi join (
        select distinct case_key
        from ordered
        where status in ('failed', 'timed_out')
    ) using (case_key)
) as found
where ordered.case_key = found.case_key
    and ordered.number = found.number
    and found.attempt is null
    and found.after_failure
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
ends as (
    select
        case_key,
        max(activity_key) filter (where number = 1) as first_activity_key,
        max(activity_key) filter (where next_activity_key is null) as last_activity_key,
        max(status) filter (where next_activity_key is null) as last_status
    from ordered
    where number = 1 or next_activity_key is null
    group by case_key
),
marked as (
    select
        case_key,
        count(*) filter (where status in ('failed', 'timed_out'))::integer as failed_instances,
        count(*) filter (where status in ('running', 'scheduled')) as open_instances,
        count(*) filter (where retry)::integer as retries
    from ordered
    where status in ('failed', 'timed_out', 'running', 'scheduled') or retry
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
        when d.last_status = 'failed' then 'failed'
        when d.last_status = 'timed_out' then 'timed_out'
        when d.last_status = 'cancelled' then 'cancelled'
        else 'completed'
    end as status,
    k.version_key,
    d.first_activity_key,
    d.last_activity_key,
    epoch_us(e.completed_at) - epoch_us(e.started_at) as cycle_time,
    w.processing_time,
    a.active_time,
    e.events,
    v.instances,
    coalesce(m.failed_instances, 0) as failed_instances,
    coalesce(m.retries, 0) as retries,
    greatest(v.instances - v.activities - coalesce(m.retries, 0), 0) as rework,
    coalesce(h.interventions, 0) as interventions,
    coalesce(o.tied_events, 0) as tied_events,
    coalesce(o.late_events, 0) as late_events
from recorded as e
join case_identity as i using (case_key)
join case_variant as v using (case_key)
left join ends as d using (case_key)
left join marked as m using (case_key)
left join worked as w using (case_key)
left join versioned as k using (case_key)
left join intervened as h using (case_key)
left join odd_events as o using (case_key)
left join active_of_case as a using (case_key)
order by i.case_key
"""
