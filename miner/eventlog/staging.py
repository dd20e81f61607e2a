"""Staging: what a source yields becomes rows with keys, ready to be merged batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from miner.eventlog import lifecycle
from miner.eventlog.schema import CASE_STATUS

BATCH_EVENTS = 4_000_000
"""Events of one transaction: bounds the memory of a load of any length."""


@dataclass(frozen=True)
class Staged:
    """What lies in the temporary tables `staged`, `staged_case` and `staged_rejected`."""

    read: int
    rejected: int
    duplicate: int
    ranges: tuple[tuple[int, int], ...]
    """Ranges of case keys, both ends included, each small enough for one transaction."""
    transitions: dict[str, str]
    """The lifecycle words found and what they were taken for."""


def stage(connection: duckdb.DuckDBPyConnection, select: str, *, process: str) -> Staged:
    """Bring the rows of `select`, which has the columns of `BATCH`, into the staging tables.

    New names get their keys here, so this runs inside the transaction of the first batch, or in
    one of its own: a key without events changes nothing that anybody sees.
    """
    connection.execute(f"create or replace temp view incoming as {select}")
    _add_names(connection, process)
    transitions = _map_lifecycle(connection)
    connection.execute("drop table if exists staged")
    connection.execute(_STAGED, {"process": process})
    connection.execute(
        "create or replace temp table staged_rejected as "
        "select process, reason, record from incoming where reason is not null"
    )
    _stage_cases(connection, process)
    duplicate = _drop_repeated_ids(connection)
    _number_repeats(connection)
    (kept,) = _row(connection, "select count(*) from staged")
    (rejected,) = _row(connection, "select count(*) from staged_rejected")
    return Staged(
        read=kept + duplicate + rejected,
        rejected=rejected,
        duplicate=duplicate,
        ranges=tuple(_ranges(connection)),
        transitions=transitions,
    )


def unstage(connection: duckdb.DuckDBPyConnection) -> None:
    """Remove the staging tables."""
    for name in ("staged", "staged_case", "staged_rejected", "staged_fact", "lifecycle_word"):
        connection.execute(f"drop table if exists {name}")
    connection.execute("drop view if exists incoming")


def _add_names(connection: duckdb.DuckDBPyConnection, process: str) -> None:
    parameters = {"process": process}
    connection.execute(_NEW_PROCESSES, parameters)
    for statement in (_NEW_ACTIVITIES, _NEW_RESOURCES, _NEW_CASES):
        connection.execute(statement, parameters)


def _map_lifecycle(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    words = connection.execute(
        "select distinct lifecycle from incoming where lifecycle is not null order by lifecycle"
    ).fetchall()
    found = lifecycle.mapping(word for (word,) in words)
    connection.execute("create or replace temp table lifecycle_word (word varchar, meaning lifecycle)")
    for word, meaning in found.items():
        connection.execute("insert into lifecycle_word values ($1, $2)", [word, meaning])
    return found


def _stage_cases(connection: duckdb.DuckDBPyConnection, process: str) -> None:
    connection.execute("drop table if exists staged_case")
    connection.execute(
        "create temp table staged_case as "
        "select case_key, count(*) as events from staged group by case_key"
    )
    connection.execute("drop table if exists staged_fact")
    connection.execute(_STAGED_FACTS, {"process": process, "statuses": list(CASE_STATUS)})


def _drop_repeated_ids(connection: duckdb.DuckDBPyConnection) -> int:
    """Of events with the same id keep the newest version; how many went."""
    (repeated,) = _row(connection, _REPEATED_IDS)
    if not repeated:
        return 0
    (before,) = _row(connection, "select count(*) from staged")
    connection.execute(_KEEP_NEWEST)
    connection.execute("drop table staged")
    connection.execute("alter table staged_newest rename to staged")
    (after,) = _row(connection, "select count(*) from staged")
    return int(before - after)


def _number_repeats(connection: duckdb.DuckDBPyConnection) -> None:
    """Tell equal events without an id apart by counting them, so that real repeats survive."""
    connection.execute(_TIES)
    (ties,) = _row(connection, "select count(*) from tie")
    if ties:
        connection.execute(_OCCURRENCES)
    connection.execute("drop table tie")


def _ranges(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[int, int]]:
    found = connection.execute(
        """
        with running as (
            select
                case_key,
                sum(events) over (order by case_key rows unbounded preceding) - events as before
            from staged_case
        )
        select min(case_key), max(case_key)
        from running
        group by before // $size
        order by before // $size
        """,
        {"size": BATCH_EVENTS},
    ).fetchall()
    yield from found


def _row(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, ...]:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return row


_NEW_PROCESSES = """
insert into process
select
    (select coalesce(max(process_key), 0) from process) + row_number() over (order by process),
    process
from (
    select distinct coalesce(process, $process) as process
    from incoming
)
anti join process using (process)
order by process
"""

_NEW_ACTIVITIES = """
insert into activity
select
    process_key,
    (select coalesce(max(activity_key), 0) from activity)
        + row_number() over (order by process_key, activity),
    activity,
    activity_id
from (
    select p.process_key, i.activity, max(i.activity_id) as activity_id
    from (
        select coalesce(process, $process) as process, activity, activity_id
        from incoming
        where activity is not null
    ) as i
    join process as p using (process)
    group by p.process_key, i.activity
)
anti join activity using (process_key, activity)
order by process_key, activity
"""

_NEW_RESOURCES = """
insert into resource
select
    process_key,
    (select coalesce(max(resource_key), 0) from resource)
        + row_number() over (order by process_key, resource, resource_kind),
    resource,
    resource_kind
from (
    select distinct p.process_key, i.resource, i.resource_kind
    from (
        select coalesce(process, $process) as process, resource, resource_kind
        from incoming
        where resource is not null or resource_kind is not null
    ) as i
    join process as p using (process)
) as found
where not exists (
    select 1
    from resource as r
    where r.process_key = found.process_key
        and r.resource is not distinct from found.resource
        and r.resource_kind is not distinct from found.resource_kind
)
order by process_key, resource, resource_kind
"""

_NEW_CASES = """
insert into case_identity (process_key, case_key, case_id)
select
    process_key,
    (select coalesce(max(case_key), 0) from case_identity)
        + row_number() over (order by first_position, case_id),
    case_id
from (
    select p.process_key, i.case_id, min(i.position) as first_position
    from (
        select coalesce(process, $process) as process, case_id, position
        from incoming
        where case_id is not null
    ) as i
    join process as p using (process)
    group by p.process_key, i.case_id
)
anti join case_identity using (process_key, case_id)
order by first_position, case_id
"""

_STAGED = """
create temp table staged as
select
    c.process_key,
    c.case_key,
    a.activity_key,
    coalesce(w.meaning, 'complete') as lifecycle,
    nullif(i.lifecycle, w.meaning::varchar) as lifecycle_source,
    i.timestamp,
    coalesce(i.position, 0) as position,
    1::integer as occurrence,
    i.event_id,
    i.instance_id,
    i.attempt,
    r.resource_key,
    i.error_type,
    i.error_message,
    i.process_version,
    i.attributes::json::variant as attributes,
    i.version
from (
    select coalesce(process, $process) as process, columns(* exclude (process, reason, record))
    from incoming
    where reason is null
) as i
join process as p on p.process = i.process
join case_identity as c on c.process_key = p.process_key and c.case_id = i.case_id
join activity as a on a.process_key = p.process_key and a.activity = i.activity
left join lifecycle_word as w on w.word = i.lifecycle
left join resource as r
    on r.process_key = p.process_key
    and r.resource is not distinct from i.resource
    and r.resource_kind is not distinct from i.resource_kind
"""

_STAGED_FACTS = """
create temp table staged_fact as
select
    c.process_key,
    c.case_key,
    arg_max(i.parent_case_id, i.position) as parent_case_id,
    arg_max(i.root_case_id, i.position) as root_case_id,
    arg_max(i.status, i.position) filter (where list_contains($statuses, i.status)) as status,
    arg_max(i.case_attributes, i.position) as attributes
from (
    select
        coalesce(process, $process) as process,
        case_id,
        coalesce(position, 0) as position,
        parent_case_id,
        root_case_id,
        lower(case_status) as status,
        case_attributes
    from incoming
    where reason is null
        and (
            parent_case_id is not null or root_case_id is not null
            or case_status is not null or case_attributes is not null
        )
) as i
join process as p using (process)
join case_identity as c on c.process_key = p.process_key and c.case_id = i.case_id
group by c.process_key, c.case_key
"""

_REPEATED_IDS = """
select count(event_id) - count(distinct (process_key, event_id)) filter (event_id is not null)
from staged
"""

_KEEP_NEWEST = """
create temp table staged_newest as
select columns(*)
from staged
qualify event_id is null or row_number() over (
    partition by process_key, event_id order by version desc nulls last, position desc
) = 1
"""

_TIES = """
create or replace temp table tie as
select case_key, timestamp
from staged
where event_id is null
group by case_key, timestamp
having count(*) > 1
"""

_OCCURRENCES = """
update staged
set occurrence = numbered.number
from (
    select
        s.rowid as staged_row,
        row_number() over (
            partition by s.case_key, s.timestamp, s.activity_key, s.lifecycle, s.lifecycle_source,
                s.resource_key
            order by s.position, s.rowid
        ) as number
    from staged as s
    semi join tie using (case_key, timestamp)
    where s.event_id is null
) as numbered
where staged.rowid = numbered.staged_row and numbered.number > 1
"""
