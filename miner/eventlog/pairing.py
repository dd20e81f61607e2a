"""Pairing: lifecycle transitions of the touched cases become activity instances."""

from __future__ import annotations

import duckdb


def pair(connection: duckdb.DuckDBPyConnection) -> None:
    """Lay the view `paired` over `touched_event`, in the order of the cases.

    Transitions that share an `instance_id` belong together. Without one, the n-th start of an
    activity in a case belongs to its n-th completion; a completion while nothing was running has no
    start. What was scheduled first is started, or ends without a start, first. A transition with no
    partner is an instance whose start or end is unknown (null). Time between suspend and resume is
    no service. The order of a case is completion, then position; what still runs comes last.

    The first instance of an activity that begins after a person ordered a retry of it is an
    *intervention*.
    """
    found = connection.execute(
        "select lifecycle::varchar from (select distinct lifecycle from touched_event)"
    ).fetchall()
    lifecycles = {lifecycle for (lifecycle,) in found}
    if lifecycles - {"complete"}:
        scheduled = lifecycles & {"scheduled", "assigned"}
        told, ordered = _ORDERED_BY_PEOPLE if "retry" in lifecycles else _ORDERED_BY_NOBODY
        located = _SCHEDULED if scheduled else _UNSCHEDULED
        connection.execute(_PAIRED.format(told=told, ordered=ordered, located=located))
        connection.execute("create or replace temp view paired as from paired_instance")
    else:
        connection.execute(_COMPLETIONS)


def let_go(connection: duckdb.DuckDBPyConnection) -> None:
    """Remove `paired` and what it lies over."""
    connection.execute("drop view paired")
    connection.execute("drop table if exists paired_instance")


# `touched_event` is in the order of its cases already, and every event is an instance.
_COMPLETIONS = """
create or replace temp view paired as
select
    process_key,
    case_key,
    activity_key,
    null::timestamp as scheduled_at,
    null::timestamp as started_at,
    timestamp as completed_at,
    'completed'::instance_status as status,
    attempt,
    resource_key,
    error_key,
    0::bigint as suspended_time,
    false as is_ordered
from touched_event
"""

_PAIRED = """
create or replace temp table paired_instance as
with transition as (
    select
        e.process_key,
        e.case_key,
        e.event_key,
        e.activity_key,
        coalesce(d.instance_id, '') as instance_id,
        e.lifecycle,
        e.timestamp,
        e.position,
        e.attempt,
        e.resource_key,
        e.error_key,
        e.orders,
        case
            when lifecycle in ('scheduled', 'assigned') then 1
            when lifecycle = 'start' then 2
            when lifecycle in ('suspend', 'resume') then 3
            else 4
        end as phase
    from ({told}) as e
    left join (
        select event_key, instance_id
        from event_detail
        where instance_id is not null
            and case_key between (select min(case_key) from touched)
                and (select max(case_key) from touched)
    ) as d on d.event_key = e.event_key
    where lifecycle <> 'retry'
),
counted as (
    select
        columns(*),
        count(*) filter (where lifecycle = 'scheduled') over so_far as schedules,
        count(*) filter (where phase = 2) over so_far as starts,
        count(*) filter (where phase = 4) over so_far as ends,
        lead(timestamp) over instance as next_at
    from transition
    window
        so_far as (
            partition by case_key, activity_key, instance_id
            order by timestamp, phase, position, event_key
            rows unbounded preceding
        ),
        instance as (
            partition by case_key, activity_key, instance_id
            order by timestamp, phase, position, event_key
        )
),
balanced as (
    select
        columns(*),
        case when instance_id = '' then greatest(0, max(ends - starts) over (
            partition by case_key, activity_key, instance_id
            order by timestamp, phase, position, event_key
            rows unbounded preceding
        )) else 0 end as alone
    from counted
),
numbered as (
    select
        columns(*),
        case
            when phase = 1 then null
            when phase = 2 then starts
            when phase = 3 then greatest(starts, 1)
            when ends - starts = alone and alone > coalesce(lag(alone) over (
                partition by case_key, activity_key, instance_id
            order by timestamp, phase, position, event_key
            ), 0) then -alone
            else ends - alone
        end as nth
    from balanced
),
{located},
instance as (
    select
        process_key,
        case_key,
        activity_key,
        min(timestamp) filter (where phase = 1) as scheduled_at,
        min(timestamp) filter (where phase = 2) as started_at,
        max(timestamp) filter (where phase = 4) as completed_at,
        arg_max(lifecycle, timestamp) filter (where phase = 4) as ending,
        max(attempt) as attempt,
        arg_max(resource_key, (phase, timestamp, position, event_key)) as resource_key,
        max(error_key) as error_key,
        coalesce(
            sum(epoch_us(next_at) - epoch_us(timestamp)) filter (where lifecycle = 'suspend'), 0
        ) as suspended_time,
        min(orders) as orders,
        min(timestamp) as opened_at,
        max(position) as position,
        max(event_key) as event_key
    from located
    group by process_key, case_key, activity_key, instance_id, nth
)
select
    process_key,
    case_key,
    activity_key,
    scheduled_at,
    started_at,
    completed_at,
    case ending
        when 'complete' then 'completed'
        when 'fail' then 'failed'
        when 'timeout' then 'timed_out'
        when 'cancel' then 'cancelled'
        when 'skip' then 'skipped'
        else case when started_at is null then 'scheduled' else 'running' end
    end::instance_status as status,
    attempt,
    resource_key,
    error_key,
    suspended_time::bigint as suspended_time,
    {ordered} as is_ordered
from instance
order by
    case_key,
    completed_at nulls last,
    case when completed_at is null then coalesce(started_at, scheduled_at) end,
    position,
    event_key
"""

# How often a person had ordered a retry of the activity by then; few logs tell.
_ORDERED_BY_PEOPLE = (
    """
        select
            columns(*),
            count(*) filter (
                where lifecycle = 'retry' and resource_key in (
                    select resource_key from resource where resource_kind = 'human'
                )
            ) over (
                partition by case_key, activity_key
                order by timestamp, position, event_key
                rows unbounded preceding
            ) as orders
        from touched_event
    """,
    """orders > 0 and row_number() over (
        partition by case_key, activity_key, orders
        order by opened_at, position, event_key
    ) = 1""",
)
_ORDERED_BY_NOBODY = ("select columns(*), 0 as orders from touched_event", "false")

_UNSCHEDULED = "located as (from numbered)"

# An instance opens with its start or, where that is unknown, with its end; what is scheduled waits
# for the next opening that is not taken. Only here, because few logs schedule.
_SCHEDULED = """
queued as (
    select
        columns(*),
        starts + alone as openings,
        greatest(0, max(starts + alone - schedules) over (
            partition by case_key, activity_key, instance_id
            order by timestamp, phase, position, event_key
            rows unbounded preceding
        )) as unscheduled
    from numbered
),
opening as (
    select case_key, activity_key, instance_id, openings, nth
    from queued
    where phase = 2 or nth < 0
),
located as (
    select columns(q.* exclude (nth, openings, unscheduled)), q.nth
    from queued as q
    where phase <> 1
    union all
    select
        columns(q.* exclude (nth, openings, unscheduled)),
        case
            when q.instance_id <> '' then greatest(q.schedules, q.starts + 1)
            else coalesce(o.nth, 1000000000 + greatest(q.schedules + q.unscheduled, q.openings + 1))
        end as nth
    from queued as q
    left join opening as o
        on o.case_key = q.case_key
        and o.activity_key = q.activity_key
        and o.instance_id = q.instance_id
        and o.openings = greatest(q.schedules + q.unscheduled, q.openings + 1)
    where q.phase = 1
)
"""
