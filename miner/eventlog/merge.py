"""Merging: staged events into the truth, so that loading anything twice changes nothing."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import duckdb

from miner.errors import StoreCorruptError
from miner.eventlog import matching, touched
from miner.eventlog.staging import Staged


@dataclass(frozen=True)
class Counts:
    """What became of the events that were read; `read` is the sum of the other five."""

    read: int = 0
    new: int = 0
    duplicate: int = 0
    corrected: int = 0
    unchanged: int = 0
    rejected: int = 0

    def __add__(self, other: Counts) -> Counts:
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Counts(*(mine + theirs for mine, theirs in pairs))

    def check(self) -> None:
        """Raise StoreCorruptError unless every event read is accounted for."""
        parts = self.new + self.duplicate + self.corrected + self.unchanged + self.rejected
        if self.read != parts:
            raise StoreCorruptError(
                f"Of {self.read} events read, {parts} are accounted for.",
                hint="Nothing was changed. Please report this with the file that caused it.",
            )


def merge(
    connection: duckdb.DuckDBPyConnection,
    staged: Staged,
    *,
    cases: tuple[int, int],
    source: str,
    load_id: int,
) -> Counts:
    """Merge the staged events of a range of cases, inside the caller's transaction.

    Leaves the keys of all cases that changed in the table `touched`, and all events of these in
    `touched_event`. An event is *new*, or its
    identity is known already: then it is *unchanged* when its source says that it is newer and it
    is not different, *corrected* when it is different and not older, and a *duplicate* else. What
    a correction replaces goes to `event_history`.
    """
    bounds = {"low": cases[0], "high": cases[1]}
    (last_key,) = _row(connection, "select coalesce(max(event_key), 0) from recorded_event")
    known = _has_known_events(connection, staged, bounds)
    if known:
        fates = matching.merge_with_known(
            connection, staged, bounds, source=source, load_id=load_id, last_key=last_key
        )
        counts = Counts(read=sum(fates.values()), **fates)
    else:
        read = _append(connection, staged, bounds, load_id=load_id, last_key=last_key)
        counts = Counts(read=read, new=read)
    _merge_facts(connection, bounds)
    if known:
        touched.gather(connection)
    return counts


def _append(
    connection: duckdb.DuckDBPyConnection,
    staged: Staged,
    bounds: dict[str, int],
    *,
    load_id: int,
    last_key: int,
) -> int:
    """All cases of the range are new: their events go straight into the truth, in order."""
    keys = {"last_key": last_key, **bounds}
    touched.arrive(connection, staged, load_id=load_id, **keys)
    connection.execute(
        "insert into recorded_event by name select columns(*), 1 as occurrence from touched_event"
    )
    connection.execute(
        "create or replace temp table touched as "
        "select case_key from staged_case where case_key between $low and $high",
        bounds,
    )
    matching.number_repeats(
        connection, staged, table="recorded_event", seen="touched_event", **keys
    )
    if staged.details:
        connection.execute(matching.insert_details(staged), {"last_key": last_key})
    (appended,) = _row(
        connection,
        "select coalesce(sum(events), 0)::bigint from staged_case "
        "where case_key between $low and $high",
        bounds,
    )
    return appended


def _has_known_events(
    connection: duckdb.DuckDBPyConnection, staged: Staged, bounds: dict[str, int]
) -> bool:
    (known,) = _row(
        connection,
        "select exists (select 1 from recorded_event where case_key between $low and $high)",
        bounds,
    )
    if not known and "event_id" in staged.details:
        (known,) = _row(
            connection, "select exists (select 1 from event_detail where event_id is not null)"
        )
    return bool(known)


def _merge_facts(connection: duckdb.DuckDBPyConnection, bounds: dict[str, int]) -> None:
    (facts,) = _row(connection, "select count(*) from staged_fact")
    if not facts:
        return
    connection.execute(_CHANGED_FACTS, bounds)
    connection.execute(_MERGE_FACTS)
    connection.execute(
        "insert into touched select case_key from changed_fact anti join touched using (case_key) "
        'where case_key in (select case_key from "case")'
    )
    connection.execute("drop table changed_fact")


def _row(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: dict[str, int] | None = None
) -> tuple[int, ...]:
    row = connection.execute(sql, parameters or {}).fetchone()
    assert row is not None
    return row


_CHANGED_FACTS = """
create or replace temp table changed_fact as
with merged as (
    select
        f.case_key,
        coalesce(f.parent_case_id, c.parent_case_id) as parent_case_id,
        coalesce(f.root_case_id, c.root_case_id) as root_case_id,
        coalesce(f.status::case_status, c.status) as status,
        nullif(
            json_merge_patch(
                coalesce(c.attributes::json, '{}'), coalesce(f.attributes::json, '{}')
            ),
            '{}'::json
        )::variant as attributes
    from staged_fact as f
    join case_identity as c using (case_key)
    where f.case_key between $low and $high
)
select m.case_key, m.parent_case_id, m.root_case_id, m.status, m.attributes
from merged as m
join case_identity as c using (case_key)
where m.parent_case_id is distinct from c.parent_case_id
    or m.root_case_id is distinct from c.root_case_id
    or m.status is distinct from c.status
    or m.attributes::json::varchar is distinct from c.attributes::json::varchar
"""

_MERGE_FACTS = """
update case_identity
set
    parent_case_id = f.parent_case_id,
    root_case_id = f.root_case_id,
    status = f.status,
    attributes = f.attributes
from changed_fact as f
where case_identity.case_key = f.case_key
"""
