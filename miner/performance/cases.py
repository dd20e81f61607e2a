"""Cases: a list of them, and the story of one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from miner.errors import InputError, UnknownNameError
from miner.eventlog.log import EventLog
from miner.eventlog.schema import DURATION, INSTANT

CASES = pl.Schema(
    {
        "case_id": pl.String(),
        "status": pl.String(),
        "started_at": INSTANT,
        "completed_at": INSTANT,
        "cycle_time": DURATION,
        "events": pl.Int64(),
        "instances": pl.Int64(),
        "failed_attempts": pl.Int64(),
        "retries": pl.Int64(),
        "rework": pl.Int64(),
        "interventions": pl.Int64(),
        "process_version": pl.String(),
        "last_activity": pl.String(),
    }
)

TIMELINE = pl.Schema(
    {
        "number": pl.Int64(),
        "activity": pl.String(),
        "scheduled_at": INSTANT,
        "started_at": INSTANT,
        "completed_at": INSTANT,
        "status": pl.String(),
        "attempt": pl.Int64(),
        "retry": pl.Boolean(),
        "rework": pl.Boolean(),
        "intervention": pl.Boolean(),
        "resource": pl.String(),
        "resource_kind": pl.String(),
        "waiting": DURATION,
        "service": DURATION,
        "error_type": pl.String(),
    }
)

CASE_EVENTS = pl.Schema(
    {
        "timestamp": INSTANT,
        "activity": pl.String(),
        "lifecycle": pl.String(),
        "resource": pl.String(),
        "resource_kind": pl.String(),
        "attempt": pl.Int64(),
        "error_type": pl.String(),
        "error_message": pl.String(),
        "process_version": pl.String(),
        "attributes": pl.String(),
        "event_id": pl.String(),
        "source": pl.String(),
        "load_id": pl.Int64(),
    }
)

ORDERS = {
    "longest": "c.cycle_time desc",
    "newest": "c.started_at desc",
    "oldest": "c.started_at",
}


@dataclass(frozen=True)
class Case:
    """One case: what is known of it, and its events."""

    case_id: str
    status: str
    started_at: datetime
    completed_at: datetime
    cycle_time: timedelta
    parent_case_id: str | None
    root_case_id: str | None
    process_version: str | None
    variant_cases: int
    """Cases of the log that ran the same variant."""
    attributes: dict[str, Any]
    timeline: pl.DataFrame
    """`TIMELINE`, in the order of the case."""
    events: pl.DataFrame
    """`CASE_EVENTS`, as recorded, in order of time."""


def cases(
    log: EventLog, *, limit: int = 100, offset: int = 0, order: str = "longest"
) -> pl.DataFrame:
    """A page of cases, by default the longest first; equal ones by case id.

    `order` is longest, newest or oldest. Cases still running have status `running`, and their cycle
    time counts up to their last event. Failed attempts and retries are null in a log that records
    neither failures nor attempts. Returns `CASES`; an empty log gives no rows. Raises
    UnknownNameError for another order.
    """
    if order not in ORDERS:
        raise UnknownNameError("order of cases", order, ORDERS)
    return log.query(
        f"""
        with page as (
            select columns(c.*), i.case_id
            from "case" as c
            join case_identity as i using (case_key)
            order by {ORDERS[order]}, i.case_id
            limit $limit
            offset $offset
        )
        select
            c.case_id,
            c.status::varchar as status,
            c.started_at,
            c.completed_at,
            c.cycle_time,
            c.events,
            c.instances,
            case when k.failures then c.failed_instances end as failed_attempts,
            case when k.failures or k.attempts then c.retries end as retries,
            c.rework,
            c.interventions,
            v.process_version,
            a.activity as last_activity
        from page as c
        left join process_version as v using (version_key)
        left join activity as a on a.activity_key = c.last_activity_key
        cross join records as k
        order by {ORDERS[order]}, c.case_id
        """,
        CASES,
        limit=limit,
        offset=offset,
    )


def case(log: EventLog, case_id: str) -> Case:
    """The story of one case.

    Raises InputError when no case of the log has this id.
    """
    row = log.row_or_none(_CASE, case_id=case_id)
    if row is None:
        raise InputError(
            f"There is no case {case_id!r} in {log.process!r}.",
            hint="`procession cases` lists the cases; a filter may hide this one.",
        )
    key = row.pop("case_key")
    row["cycle_time"] = timedelta(microseconds=row["cycle_time"])
    row["attributes"] = json.loads(row["attributes"] or "{}")
    return Case(
        **row,
        timeline=log.query(_TIMELINE, TIMELINE, case_key=key),
        events=log.query(_EVENTS, CASE_EVENTS, case_key=key),
    )


_CASE = """
select
    c.case_key,
    i.case_id,
    c.status::varchar as status,
    c.started_at,
    c.completed_at,
    c.cycle_time,
    i.parent_case_id,
    i.root_case_id,
    v.process_version,
    (select count(*) from "case" as same where same.variant_key = c.variant_key) as variant_cases,
    i.attributes::json::varchar as attributes
from case_identity as i
join "case" as c using (case_key)
left join process_version as v using (version_key)
where i.case_id = $case_id
"""

_TIMELINE = """
select
    i.number,
    a.activity,
    i.scheduled_at,
    i.started_at,
    i.completed_at,
    i.status::varchar as status,
    i.attempt,
    i.repetition is not distinct from 'retry' as retry,
    i.repetition is null and i.status <> 'scheduled' and count(*) filter (
        where i.status <> 'scheduled'
    ) over (
        partition by i.activity_key order by i.number
        rows between unbounded preceding and 1 preceding
    ) > 0 as rework,
    i.repetition is not distinct from 'intervention' as intervention,
    r.resource,
    r.resource_kind,
    i.waiting_time as waiting,
    i.service_time as service,
    e.error_type
from activity_instance as i
join activity as a using (activity_key)
left join resource as r using (resource_key)
left join error as e using (error_key)
where i.case_key = $case_key
order by i.number
"""

_EVENTS = """
select
    e.timestamp,
    a.activity,
    coalesce(d.lifecycle_source, e.lifecycle::varchar) as lifecycle,
    r.resource,
    r.resource_kind,
    e.attempt,
    x.error_type,
    d.error_message,
    v.process_version,
    d.attributes::json::varchar as attributes,
    d.event_id,
    l.source,
    e.load_id
from recorded_event as e
join activity as a using (activity_key)
left join event_detail as d using (event_key)
left join resource as r using (resource_key)
left join error as x using (error_key)
left join process_version as v using (version_key)
left join load as l using (load_id)
where e.case_key = $case_key
order by e.timestamp, e.position, e.event_key
"""
