"""Ordering: the instances of each case in a row, with what comes next and the times between."""

from __future__ import annotations

from typing import Any

import duckdb


def order(connection: duckdb.DuckDBPyConnection) -> str:
    """Lay the view `ordered`, with the columns of `activity_instance`, over those in `paired`.

    Returns the table that they belong into.

    Most logs record only some of what can be recorded; a column that is the same for all instances
    is not written down for each, the view adds it.
    """
    ((facts,),) = connection.execute(f"select facts from ({_FACTS}) as facts").fetchall()
    constants = _constants(facts)
    kept = ", ".join(f"{sql} as {name}" for name, sql in _COLUMNS.items() if name not in constants)
    connection.execute(_ORDERED.format(columns=kept))
    spelled = ", ".join(f"{constants.get(name, name)} as {name}" for name in _COLUMNS)
    connection.execute(
        f"create or replace temp view ordered as select {spelled} from ordered_instance"
    )
    if facts["starts"]:
        connection.execute(_WAITING_AFTER_OVERLAP)
    if facts["failures"] and facts["attempts"] < facts["instances"]:
        connection.execute(_RETRIES_AFTER_FAILURE)
    return "completed_instance" if constants.keys() >= _OF_DETAILED else "detailed_instance"


def let_go(connection: duckdb.DuckDBPyConnection) -> None:
    """Remove `ordered` and what it lies over."""
    connection.execute("drop view ordered")
    connection.execute("drop table ordered_instance")


def _constants(facts: dict[str, Any]) -> dict[str, str]:
    """The columns that are the same for all instances, with their value in SQL."""
    found = {}
    if facts["first_process"] is not None and facts["first_process"] == facts["last_process"]:
        found["process_key"] = f"{facts['first_process']:d}::smallint"
    if facts["completed"] == facts["instances"]:
        found["status"] = "'completed'::instance_status"
    if not facts["scheduled"]:
        found["scheduled_at"] = "null::timestamp"
    if not facts["starts"]:
        found |= {"started_at": "null::timestamp"}
        found |= dict.fromkeys(("waiting_time", "service_time"), "null::bigint")
    if not facts["resources"]:
        found |= dict.fromkeys(("resource_key", "next_resource_key"), "null::integer")
    if not facts["errors"]:
        found["error_key"] = "null::integer"
    if not facts["attempts"]:
        found["attempt"] = "null::integer"
    if not (facts["attempts"] or facts["failures"] or facts["ordered"]):
        found["repetition"] = "null::repetition"
    return found


_OF_DETAILED = {
    "scheduled_at", "started_at", "status", "attempt", "repetition", "error_key", "waiting_time",
    "service_time",
}  # fmt: skip

_FACTS = """
select
    count(*) as instances,
    count(scheduled_at) as scheduled,
    count(started_at) as starts,
    count(attempt) as attempts,
    count(resource_key) as resources,
    count(error_key) as errors,
    count(*) filter (where status = 'completed') as completed,
    count(*) filter (where status in ('failed', 'timed_out')) as failures,
    count(*) filter (where is_ordered) as ordered,
    min(process_key) as first_process,
    max(process_key) as last_process
from paired
"""

_COLUMNS = {
    "process_key": "process_key",
    "case_key": "case_key",
    "number": """(sequence - max(case when first_of_case then sequence end)
        over (rows unbounded preceding) + 1)::integer""",
    "activity_key": "activity_key",
    "next_activity_key": "case when has_next then following_activity_key end",
    "scheduled_at": "scheduled_at",
    "started_at": "started_at",
    "completed_at": "completed_at",
    "status": "status",
    "attempt": "attempt",
    "repetition": """case when is_ordered then 'intervention' when attempt > 1 then 'retry'
        end::repetition""",
    "resource_key": "resource_key",
    "next_resource_key": "case when has_next then following_resource_key end",
    "error_key": "error_key",
    "waiting_time": """case when not first_of_case and preceding_at <= started_at
        then epoch_us(started_at) - epoch_us(preceding_at) end""",
    "service_time": """case when started_at <= completed_at
        then epoch_us(completed_at) - epoch_us(started_at) - suspended_time end""",
    "next_time": """case when has_next and following_at >= completed_at
        then epoch_us(following_at) - epoch_us(completed_at) end""",
}

INSERT = {
    "completed_instance": "insert into completed_instance by name select "
    + ", ".join(name for name in _COLUMNS if name not in _OF_DETAILED)
    + " from ordered",
    "detailed_instance": "insert into detailed_instance by name from ordered",
}
"""The statement that keeps `ordered`, by the table that `order` names."""

# One streaming pass over instances in the order of their cases; no window here sorts.
_ORDERED = """
create or replace temp table ordered_instance as
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
select {columns}
from sequenced
"""

# Work that overlaps its predecessor waited since the last completion before its own start.
_WAITING_AFTER_OVERLAP = """
update ordered_instance
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
where ordered_instance.case_key = found.case_key and ordered_instance.number = found.number
"""

_RETRIES_AFTER_FAILURE = """
update ordered_instance
set repetition = 'retry'
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
where ordered_instance.case_key = found.case_key
    and ordered_instance.number = found.number
    and found.attempt is null
    and found.after_failure
    and ordered_instance.repetition is null
"""
