"""Where reading a system goes on: its cursor, the latest event, the cases that still run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import duckdb


@dataclass(frozen=True)
class Progress:
    """What was read of a system so far."""

    cursor: str | None
    """What the last page said, as JSON; null: nothing was read yet."""
    latest: datetime | None
    """UTC time of the latest event; null: there is none."""
    open_cases: tuple[str, ...]
    """Cases with events of this system that still run, in order of their ids."""


def progress(connection: duckdb.DuckDBPyConnection, source: str, scope: str) -> Progress:
    """How far the system `scope` of the kind `source` was read."""
    parameters = {"source": source, "scope": scope}
    row = connection.execute(_CURSOR, parameters).fetchone()
    latest = connection.execute(_LATEST, parameters).fetchone()
    running = connection.execute(_OPEN_CASES, parameters).fetchall()
    return Progress(
        cursor=row[0] if row else None,
        latest=latest[0] if latest else None,
        open_cases=tuple(case_id for (case_id,) in running),
    )


def move(
    connection: duckdb.DuckDBPyConnection, source: str, scope: str, cursor: str, load_id: int
) -> None:
    """Reading goes on at `cursor`; in the transaction of the events before it."""
    connection.execute(_FORGET, {"source": source, "scope": scope})
    parameters = {"source": source, "scope": scope, "cursor": cursor, "load_id": load_id}
    connection.execute(_MOVE, parameters)


_CURSOR = "select cursor from cursor where source = $source and scope = $scope"

_LATEST = "select max(last_event) from load where source = $source and origin = $scope"

_OPEN_CASES = """
select i.case_id
from "case" as c
join case_identity as i using (case_key)
where c.status = 'running'
    and c.case_key in (
        select case_key
        from recorded_event
        where load_id in (select load_id from load where source = $source and origin = $scope)
    )
order by i.case_id
"""

_FORGET = "delete from cursor where source = $source and scope = $scope"

_MOVE = """
insert into cursor by name
select
    $source as source,
    $scope as scope,
    $cursor as cursor,
    $load_id as load_id,
    (now() at time zone 'UTC')::timestamp as moved_at
"""
