"""Attempts that Temporal counts and does not record: as much of them as can be known."""

from __future__ import annotations

LATEST_POSSIBLE = '"time":"latest possible"'
"""Marks events whose time is a bound in their attributes."""

# Attempts that failed before one that is recorded. Of their errors only the last is known.
RETRIED = """
create temp table retried as
with scheduled as (
    select columns(*)
    from native
    where type = 'ACTIVITY_TASK_SCHEDULED'
    qualify row_number() over (partition by unit, detail order by event_id desc) = 1
),
local as (
    select
        columns(*),
        coalesce(lag(attempt) over (
            partition by unit, name, detail order by event_id
        ), 0) + 1 as first
    from step
    where about = 'local'
)
select
    unit, about, run_id, origin, process_version, opened_by, name, opened_at, initial, coefficient,
    maximum, 1 as first, attempt - 1 as last, occurred as until, true as is_start,
    false as is_exact, null as resource, error_kind, error_type, error_message, delay
from step
where type = 'ACTIVITY_TASK_STARTED'
union all
select
    unit, about, run_id, origin, process_version, opened_by, name, opened_at, initial, coefficient,
    maximum, 1, attempt - 1, occurred, false, false,
    null, error_kind, error_type, error_message, delay
from step
where is_untried
union all
select
    unit, about, run_id, origin, process_version, event_id, name, occurred, null, null,
    null, first, attempt - 1, occurred, false, false,
    null, null, null, null, null
from local
union all
select
    p.unit, s.about, s.run_id, s.origin, s.process_version, s.event_id, s.name, s.occurred,
    s.initial, s.coefficient, s.maximum, 1, p.attempt - 1,
    coalesce(p.ended_at, p.started_at, s.occurred), p.ended_at is null, p.ended_at is not null,
    p.last_resource, p.error_kind, p.error_type, p.error_message, null
from pending as p
join scheduled as s using (unit, detail)
"""

# An attempt ended at the latest when the next one began, less the pause that the policy demands.
TRIED = """
create temp table tried as
with numbered as (
    select columns(*), unnest(generate_series(first, last)) as attempt
    from retried
    where last >= first
),
paused as (
    select
        columns(*),
        case
            when attempt < last or is_start then coalesce(
                case when attempt = last then delay end,
                least(initial * pow(coalesce(coefficient, 2), attempt - 1),
                    coalesce(maximum, 100 * initial)),
                0
            )
            else 0
        end as pause
    from numbered
)
select
    columns(*),
    greatest(opened_at, until - to_microseconds((1e6 * sum(pause) over (
        partition by unit, about, opened_by, is_exact, until order by attempt desc
    ))::bigint)) as occurred
from paused
"""
