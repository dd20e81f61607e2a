"""Preparing: the derived tables, for the touched cases only, equal to a full rebuild at any time."""

from __future__ import annotations

import duckdb

from miner.eventlog import pairing
from miner.eventlog.merge import TOUCHED_EVENTS

BATCH_CASES_EVENTS = 4_000_000


def prepare_touched(connection: duckdb.DuckDBPyConnection) -> None:
    """Derive the cases of the table `touched_event` anew, inside the caller's transaction.

    An instance is *rework* when its activity was done in the case before and it is not a *retry*; a
    retry is an attempt after the first, as the source counts them, or, where it does not, the
    attempt after a failed one of the same activity. Rework directly after the same activity is a
    *self-loop*; rework by another resource is a *redo*.
    """
    _forget_touched(connection)
    pairing.pair(connection)
    for statement in (_ORDERED, _VARIANT_OF_CASE, _NEW_VARIANTS, _NEW_PATHS, _REPEATS, _INSTANCES):
        connection.execute(statement)
    for statement in (_OVERLAPPING, _WAITING_AFTER_OVERLAP, _ACTIVE, _CASES):
        connection.execute(statement)
    connection.execute("drop view paired")
    for table in ("touched_event", "paired_instance", "ordered", "variant_of_case"):
        connection.execute(f"drop table if exists {table}")
    for table in ("repeat_of_instance", "overlapping", "active_of_case"):
        connection.execute(f"drop table {table}")


def rebuild(connection: duckdb.DuckDBPyConnection) -> int:
    """Derive all cases anew, in bounded memory; returns how many there are."""
    for table in ("activity_instance", '"case"', "variant", "variant_path"):
        connection.execute(f"delete from {table}")
    ranges = connection.execute(_RANGES, {"size": BATCH_CASES_EVENTS}).fetchall()
    for low, high in ranges:
        connection.execute(
            "create or replace temp table touched as select distinct case_key "
            "from recorded_event where case_key between $low and $high",
            {"low": low, "high": high},
        )
        connection.execute(TOUCHED_EVENTS)
        prepare_touched(connection)
    row = connection.execute('select count(*) from "case"').fetchone()
    return int(row[0]) if row else 0


def _forget_touched(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        "create or replace temp table touched as select distinct case_key from touched_event"
    )
    row = connection.execute(
        'select count(*) from "case" semi join touched using (case_key)'
    ).fetchone()
    connection.execute("create or replace temp table orphaned (variant_key integer)")
    if row and row[0]:
        connection.execute(
            'insert into orphaned select distinct variant_key from "case" '
            "semi join touched using (case_key)"
        )
        for table in ("activity_instance", '"case"'):
            connection.execute(
                f"delete from {table} where case_key in (select case_key from touched)"
            )
        connection.execute(
            'delete from orphaned where variant_key in (select variant_key from "case")'
        )
        for table in ("variant", "variant_path"):
            connection.execute(
                f"delete from {table} where variant_key in (select variant_key from orphaned)"
            )
    connection.execute("drop table orphaned")


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
        lag(completed_at) over () as preceding_completed_at
    from paired
)
select
    process_key,
    case_key,
    (sequence - max(case when first_of_case then sequence end)
        over (rows unbounded preceding) + 1)::integer as number,
    activity_key,
    not has_next as last_of_case,
    case when has_next then following_activity_key end as next_activity_key,
    scheduled_at,
    started_at,
    completed_at,
    status,
    attempt,
    resource_key,
    case when has_next then following_resource_key end as next_resource_key,
    error_key,
    suspended_time,
    case when started_at <= completed_at
        then epoch_us(completed_at) - epoch_us(started_at) - suspended_time end as service_time,
    case when not first_of_case then preceding_completed_at end as preceding_completed_at,
    case when has_next and following_at >= completed_at
        then epoch_us(following_at) - epoch_us(completed_at) end as next_time
from sequenced
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
from ordered
group by process_key, case_key
"""

_NEW_VARIANTS = """
insert into variant
select
    process_key,
    (select coalesce(max(variant_key), 0) from variant) + row_number() over (order by first_case),
    activity_keys
from (
    select process_key, activity_keys, min(case_key) as first_case
    from variant_of_case
    group by process_key, activity_keys
)
anti join variant using (process_key, activity_keys)
order by first_case
"""

_NEW_PATHS = """
insert into variant_path
with fresh as (
    select process_key, variant_key, activity_keys
    from variant
    where variant_key > (select coalesce(max(variant_key), 0) from variant_path)
        and len(activity_keys) > 1
)
select process_key, variant_key, activity_key, next_activity_key, count(*)
from (
    select
        process_key,
        variant_key,
        unnest(activity_keys[:-2]) as activity_key,
        unnest(activity_keys[2:]) as next_activity_key
    from fresh
)
group by process_key, variant_key, activity_key, next_activity_key
order by variant_key, activity_key, next_activity_key
"""

_REPEATS = """
create or replace temp table repeat_of_instance as
with recurring as (
    select case_key
    from variant_of_case
    where len(list_distinct(activity_keys)) < len(activity_keys)
),
earlier as (
    select
        case_key,
        number,
        attempt,
        row_number() over same as occurrence,
        lag(number) over same = number - 1 as directly,
        lag(resource_key) over same <> resource_key as other_resource,
        lag(status) over same in ('failed', 'timed_out') as after_failure
    from ordered
    semi join recurring using (case_key)
    window same as (partition by case_key, activity_key order by number)
)
select
    case_key,
    number,
    coalesce(attempt > 1, coalesce(after_failure, false)) as retry,
    not coalesce(attempt > 1, coalesce(after_failure, false)) as rework,
    rework and directly as self_loop,
    case when rework then other_resource end as redo
from earlier
where occurrence > 1
order by case_key, number
"""

_INSTANCES = """
insert into activity_instance by name
select
    o.process_key,
    o.case_key,
    o.number,
    o.activity_key,
    o.next_activity_key,
    o.scheduled_at,
    o.started_at,
    o.completed_at,
    o.status,
    o.attempt,
    coalesce(r.retry, o.attempt > 1, false) as retry,
    coalesce(r.rework, false) as rework,
    coalesce(r.self_loop, false) as self_loop,
    r.redo,
    o.resource_key,
    o.next_resource_key,
    o.error_key,
    case when o.preceding_completed_at <= o.started_at
        then epoch_us(o.started_at) - epoch_us(o.preceding_completed_at) end as waiting_time,
    o.service_time,
    o.next_time
from ordered as o
left join repeat_of_instance as r using (case_key, number)
"""

# Work that overlaps its predecessor waited since the last completion before its own start.
_OVERLAPPING = """
create or replace temp table overlapping as
with waiting as (
    select case_key, number, started_at
    from ordered
    where started_at is not null
        and (preceding_completed_at > started_at or preceding_completed_at is null and number > 1)
),
ended as (
    select case_key, completed_at
    from ordered
    semi join waiting using (case_key)
    where completed_at is not null
)
select w.case_key, w.number, epoch_us(w.started_at) - epoch_us(e.completed_at) as waiting_time
from waiting as w
asof join ended as e on e.case_key = w.case_key and w.started_at >= e.completed_at
"""

_WAITING_AFTER_OVERLAP = """
update activity_instance
set waiting_time = o.waiting_time
from overlapping as o
where activity_instance.case_key = o.case_key and activity_instance.number = o.number
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
select case_key, sum(greatest(high - greatest(low, coalesce(before, low)), 0))::bigint as active_time
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
        count(*)::integer as events,
        arg_max(version_key, timestamp) as version_key,
        (count(*) filter (where lifecycle = 'retry' and resource_key in (
            select resource_key from resource where resource_kind = 'human'
        )))::integer as interventions
    from touched_event
    group by case_key
),
done as (
    select
        case_key,
        max(activity_key) filter (where number = 1) as first_activity_key,
        max(activity_key) filter (where last_of_case) as last_activity_key,
        max(status) filter (where last_of_case) as last_status,
        count(*)::integer as instances,
        count(*) filter (where status in ('failed', 'timed_out'))::integer as failed_instances,
        count(*) filter (where status in ('running', 'scheduled')) as open_instances,
        sum(service_time)::bigint as processing_time
    from ordered
    group by case_key
),
repeated as (
    select
        case_key,
        count(*) filter (where retry)::integer as retries,
        count(*) filter (where rework)::integer as rework
    from activity_instance
    semi join touched using (case_key)
    where retry or rework
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
    e.version_key,
    d.first_activity_key,
    d.last_activity_key,
    epoch_us(e.completed_at) - epoch_us(e.started_at) as cycle_time,
    d.processing_time,
    a.active_time,
    e.events,
    coalesce(d.instances, 0) as instances,
    coalesce(d.failed_instances, 0) as failed_instances,
    coalesce(r.retries, 0) as retries,
    coalesce(r.rework, 0) as rework,
    e.interventions
from recorded as e
join case_identity as i using (case_key)
left join done as d using (case_key)
left join repeated as r using (case_key)
left join active_of_case as a using (case_key)
left join variant_of_case as l using (case_key)
left join variant as v
    on v.process_key = i.process_key and v.activity_keys = coalesce(l.activity_keys, [])
order by i.case_key
"""
