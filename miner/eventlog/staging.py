"""Staging: what a source yields becomes rows with keys, ready to be merged batch by batch."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import duckdb

from miner.eventlog import lifecycle, naming
from miner.eventlog.schema import BATCH, CASE_STATUS

BATCH_EVENTS = 4_000_000
"""Events of one transaction: bounds the memory of a load of any length."""

DETAILS = ("event_id", "instance_id", "lifecycle_source", "error_message", "attributes", "version")
"""Columns of `event_detail`: what only some sources give."""


@dataclass(frozen=True)
class Staged:
    """What lies in the temporary tables `staged`, `staged_case` and `staged_rejected`."""

    read: int
    rejected: int
    duplicate: int
    cases: int
    ranges: tuple[tuple[int, int], ...]
    """Ranges of case keys, both ends included, each small enough for one transaction."""
    details: tuple[str, ...]
    """The columns of `event_detail` that the source gives."""
    keyed: tuple[str, ...]
    """The optional columns of `recorded_event` that the source gives."""
    constants: dict[str, str]
    """Columns of `staged` that are the same in every row, with their value in SQL."""
    in_order: bool
    """Whether positions rise from row to row of `staged`."""
    transitions: dict[str, str]
    """The lifecycle words found and what they were taken for."""


def stage(
    connection: duckdb.DuckDBPyConnection,
    select: str,
    *,
    process: str,
    given: Collection[str] | None = None,
) -> Staged:
    """Bring the rows of `select`, which has the columns of `BATCH`, into the staging tables.

    `given` names the columns that may hold something, by default all; the others cost nothing. New
    names get their keys here, so this runs inside a transaction: a key without events changes
    nothing that anybody sees.
    """
    columns = frozenset(BATCH if given is None else given)
    if "resource_kind" in columns:
        columns |= {"resource"}
    connection.execute(f"create or replace temp view incoming as {select}")
    naming.add_names(connection, process, columns)
    transitions = _map_lifecycle(connection) if "lifecycle" in columns else {}
    details = _details(columns, transitions)
    connection.execute("drop table if exists staged")
    connection.execute(_staged(columns, details), {"process": process})
    connection.execute(
        "create or replace temp table staged_rejected as "
        "select process, reason, record from incoming where reason is not null "
        + ("" if _count(connection, "incoming") > _count(connection, "staged") else "limit 0")
    )
    duplicate = _drop_repeated_ids(connection) if "event_id" in details else 0
    _stage_cases(connection, process, columns)
    return Staged(
        read=_count(connection, "staged") + duplicate + _count(connection, "staged_rejected"),
        rejected=_count(connection, "staged_rejected"),
        duplicate=duplicate,
        cases=_count(connection, "staged_case"),
        ranges=tuple(_ranges(connection)),
        details=details,
        keyed=tuple(key for column, (key, _) in _KEYED.items() if column in columns),
        constants=_constants(connection, process, columns),
        in_order=not _count(connection, _FALLING),
        transitions=transitions,
    )


def unstage(connection: duckdb.DuckDBPyConnection) -> None:
    """Remove the staging tables."""
    for name in ("staged", "staged_case", "staged_rejected", "staged_fact", "lifecycle_word"):
        connection.execute(f"drop table if exists {name}")
    connection.execute("drop view if exists incoming")


def _map_lifecycle(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    words = connection.execute(
        "select distinct lifecycle from incoming where lifecycle is not null order by lifecycle"
    ).fetchall()
    found = lifecycle.mapping(word for (word,) in words)
    connection.execute(
        "create or replace temp table lifecycle_word (word varchar, meaning lifecycle)"
    )
    for word, meaning in found.items():
        connection.execute("insert into lifecycle_word values ($1, $2)", [word, meaning])
    return found


def _details(columns: Collection[str], transitions: dict[str, str]) -> tuple[str, ...]:
    renamed = any(word != meaning for word, meaning in transitions.items())
    return tuple(
        name for name in DETAILS if (renamed if name == "lifecycle_source" else name in columns)
    )


# Optional columns of an event that are keys: the column that gives it, its name, its expression.
_KEYED = {
    "attempt": ("attempt", "i.attempt"),
    "resource": ("resource_key", "r.resource_key"),
    "error_type": ("error_key", "x.error_key"),
    "process_version": ("version_key", "v.version_key"),
}

KEYED = tuple(key for key, _ in _KEYED.values())
"""The columns of `recorded_event` that only some sources give."""

_DETAIL = {
    "lifecycle_source": "nullif(i.lifecycle, w.meaning::varchar)",
    "attributes": "i.attributes::json::variant",
}

_JOINS = {
    "lifecycle": "left join lifecycle_word as w on w.word = i.lifecycle",
    "resource": """left join resource as r
    on r.process_key = p.process_key
    and r.resource is not distinct from i.resource
    and r.resource_kind is not distinct from i.resource_kind""",
    "error_type": """left join error as x
    on x.process_key = p.process_key and x.error_type = i.error_type""",
    "process_version": """left join process_version as v
    on v.process_key = p.process_key and v.process_version = i.process_version""",
}


def _staged(columns: Collection[str], details: Collection[str]) -> str:
    """The statement that makes `staged`; only fixed names of columns go into its text."""
    meaning = "coalesce(w.meaning, 'complete')" if "lifecycle" in columns else "'complete'"
    selected = [
        f"{expression} as {key}"
        for column, (key, expression) in _KEYED.items()
        if column in columns
    ]
    selected += [f"{_DETAIL.get(name, f'i.{name}')} as {name}" for name in details]
    joins = [join for column, join in _JOINS.items() if column in columns]
    return f"""
create temp table staged as
select
    c.process_key,
    c.case_key,
    a.activity_key,
    {meaning}::lifecycle as lifecycle,
    i.timestamp,
    {", ".join(["coalesce(i.position, 0) as position", *selected])}
from (
    select coalesce(process, $process) as process, columns(* exclude (process, reason, record))
    from incoming
    where reason is null
) as i
join process as p on p.process = i.process
join case_identity as c on c.process_key = p.process_key and c.case_id = i.case_id
join activity as a on a.process_key = p.process_key and a.activity = i.activity
{" ".join(joins)}
"""


def _stage_cases(
    connection: duckdb.DuckDBPyConnection, process: str, columns: Collection[str]
) -> None:
    connection.execute(
        "create or replace temp table staged_case as "
        "select case_key, count(*) as events from staged group by case_key"
    )
    connection.execute("drop table if exists staged_fact")
    facts = {"parent_case_id", "root_case_id", "case_status", "case_attributes"}
    wanted = "" if facts & set(columns) else "limit 0"
    connection.execute(_STAGED_FACTS + wanted, {"process": process, "statuses": list(CASE_STATUS)})


def _constants(
    connection: duckdb.DuckDBPyConnection, process: str, columns: Collection[str]
) -> dict[str, str]:
    found = {} if "lifecycle" in columns else {"lifecycle": "'complete'::lifecycle"}
    if "process" not in columns:
        rows = connection.execute(
            "select process_key from process where process = $1", [process]
        ).fetchall()
        found |= {"process_key": f"{rows[0][0]:d}::smallint"} if rows else {}
    return found


def _drop_repeated_ids(connection: duckdb.DuckDBPyConnection) -> int:
    """Of events with the same id keep the newest version; how many went."""
    version = "version" if _has_column(connection, "version") else "null"
    row = connection.execute(_REPEATED_IDS).fetchone()
    if not row or not row[0]:
        return 0
    before = _count(connection, "staged")
    connection.execute(_KEEP_NEWEST.replace("version", version))
    connection.execute("drop table staged")
    connection.execute("alter table staged_newest rename to staged")
    return before - _count(connection, "staged")


def _has_column(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    return name in connection.sql("from staged limit 0").columns


def _ranges(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[int, int]]:
    yield from connection.execute(_CASE_RANGES, {"size": BATCH_EVENTS}).fetchall()


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"select count(*) from {table}").fetchone()
    assert row is not None
    return int(row[0])


_FALLING = "(select position <= lag(position) over () as falls from staged) where falls"

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
select count(event_id)
    - count(distinct (process_key, event_id)) filter (where event_id is not null)
from staged
"""

# What is delivered again unchanged keeps the position of its first delivery.
_KEEP_NEWEST = """
create temp table staged_newest as
select columns(* exclude (content, newest))
from (
    select
        columns(*),
        first_value(content) over (
            partition by process_key, event_id order by version desc nulls last, position desc
        ) as newest
    from (
        select columns(*), hash(*columns(* exclude (position))) as content
        from staged
    )
)
qualify event_id is null or row_number() over (
    partition by process_key, event_id order by content <> newest, position
) = 1
"""

_CASE_RANGES = """
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
"""
