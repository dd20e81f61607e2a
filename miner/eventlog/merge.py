"""Merging: staged events into the truth, so that loading anything twice changes nothing."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import duckdb

from miner.errors import StoreCorruptError


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
    *,
    cases: tuple[int, int],
    source: str,
    load_id: int,
) -> Counts:
    """Merge the staged events of a range of cases; leaves their keys in the table `touched`.

    An event is *new*, or its identity is known already: then it is *unchanged* when its source
    says that it is newer and it is not different, *corrected* when it is different and not older,
    and a *duplicate* else. What a correction replaces goes to `event_history`.
    """
    parameters = {"low": cases[0], "high": cases[1]}
    connection.execute(_BATCH, parameters)
    if _known_events(connection, parameters):
        connection.execute(_MATCH, {"source": source, **parameters})
        counts = _count(connection)
        if counts.corrected:
            _replace_corrected(connection, source, load_id)
        connection.execute(_TOUCHED_BY_EVENTS)
    else:
        (read,) = _row(connection, "select count(*) from batch")
        counts = Counts(read=read, new=read)
        connection.execute("create or replace temp view verdict as select *, 'new' as fate from batch")
        connection.execute(
            "create or replace temp table touched as "
            "select case_key from staged_case where case_key between $low and $high",
            parameters,
        )
    connection.execute(_INSERT, {"source": source, "load_id": load_id})
    _merge_facts(connection, parameters)
    counts.check()
    connection.execute("drop view if exists verdict")
    for table in ("batch", "matched"):
        connection.execute(f"drop table if exists {table}")
    return counts


def _known_events(connection: duckdb.DuckDBPyConnection, parameters: dict[str, int]) -> bool:
    (known,) = _row(
        connection,
        """
        select exists (select 1 from recorded_event where case_key between $low and $high)
            or exists (select 1 from batch where event_id is not null)
                and exists (select 1 from recorded_event where event_id is not null)
        """,
        parameters,
    )
    return bool(known)


def _count(connection: duckdb.DuckDBPyConnection) -> Counts:
    found = dict(
        connection.execute("select fate, count(*) from matched group by fate order by fate").fetchall()
    )
    (read,) = _row(connection, "select count(*) from batch")
    connection.execute("create or replace temp view verdict as select * from matched")
    return Counts(read=read, **found)


def _replace_corrected(connection: duckdb.DuckDBPyConnection, source: str, load_id: int) -> None:
    connection.execute(
        "insert into event_history select e.*, $load_id from recorded_event as e "
        "semi join (select known_row from matched where fate = 'corrected') as m "
        "on e.rowid = m.known_row",
        {"load_id": load_id},
    )
    connection.execute(
        "delete from recorded_event where rowid in "
        "(select known_row from matched where fate = 'corrected')"
    )


def _merge_facts(connection: duckdb.DuckDBPyConnection, parameters: dict[str, int]) -> None:
    connection.execute(_CHANGED_FACTS, parameters)
    connection.execute(_MERGE_FACTS)
    connection.execute(
        "insert into touched "
        "select case_key from changed_fact anti join touched using (case_key)"
    )
    connection.execute("drop table changed_fact")


def _row(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: dict[str, int] | None = None
) -> tuple[int, ...]:
    row = connection.execute(sql, parameters or {}).fetchone()
    assert row is not None
    return row


_BATCH = """
create or replace temp table batch as
select columns(*)
from staged
where case_key between $low and $high
order by case_key, timestamp, position
"""

_CONTENT = """
        e.instance_id is distinct from b.instance_id
        or e.attempt is distinct from b.attempt
        or e.error_type is distinct from b.error_type
        or e.error_message is distinct from b.error_message
        or e.process_version is distinct from b.process_version
        or e.attributes::json::varchar is distinct from b.attributes::json::varchar
        or e.case_key <> b.case_key
        or e.activity_key <> b.activity_key
        or e.lifecycle <> b.lifecycle
        or e.timestamp <> b.timestamp
        or e.resource_key is distinct from b.resource_key
"""

_MATCH = f"""
create or replace temp table matched as
with known as (
    select b.rowid as batch_row, e.rowid as known_row
    from batch as b
    join recorded_event as e
        on e.case_key = b.case_key
        and e.timestamp = b.timestamp
        and e.activity_key = b.activity_key
        and e.occurrence = b.occurrence
        and e.lifecycle = b.lifecycle
        and e.lifecycle_source is not distinct from b.lifecycle_source
        and e.resource_key is not distinct from b.resource_key
    where b.event_id is null and e.event_id is null and e.case_key between $low and $high
    union all
    select b.rowid, e.rowid
    from batch as b
    join recorded_event as e on e.process_key = b.process_key and e.event_id = b.event_id
    where e.source = $source
),
compared as (
    select
        b.rowid as batch_row,
        k.known_row,
        e.case_key as known_case_key,
        coalesce(b.version, 0) - coalesce(e.version, 0) as newer_by,
        {_CONTENT} as differs
    from batch as b
    left join known as k on k.batch_row = b.rowid
    left join recorded_event as e on e.rowid = k.known_row
)
select
    b.*,
    c.known_row,
    c.known_case_key,
    case
        when c.known_row is null then 'new'
        when c.differs and (c.newer_by > 0 or b.version is null) then 'corrected'
        when not c.differs and c.newer_by > 0 then 'unchanged'
        else 'duplicate'
    end as fate
from batch as b
join compared as c on c.batch_row = b.rowid
"""

_INSERT = """
insert into recorded_event by name
select
    process_key,
    case_key,
    activity_key,
    lifecycle,
    lifecycle_source,
    timestamp,
    position,
    occurrence,
    event_id,
    instance_id,
    attempt,
    resource_key,
    error_type,
    error_message,
    process_version,
    attributes,
    version,
    $source as source,
    $load_id as load_id
from verdict
where fate in ('new', 'corrected')
order by case_key, timestamp, position
"""

_TOUCHED_BY_EVENTS = """
create or replace temp table touched as
select case_key
from matched
where fate in ('new', 'corrected')
union
select known_case_key
from matched
where fate = 'corrected'
"""

_CHANGED_FACTS = """
create or replace temp table changed_fact as
with merged as (
    select
        f.case_key,
        coalesce(f.parent_case_id, c.parent_case_id) as parent_case_id,
        coalesce(f.root_case_id, c.root_case_id) as root_case_id,
        coalesce(f.status::case_status, c.status) as status,
        nullif(
            json_merge_patch(coalesce(c.attributes::json, '{}'), coalesce(f.attributes::json, '{}')),
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
