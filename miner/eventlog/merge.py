"""Merging: staged events into the truth, so that loading anything twice changes nothing."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import duckdb

from miner.errors import StoreCorruptError
from miner.eventlog.staging import DETAILS, Staged


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
    """Merge the staged events of a range of cases.

    Leaves the events of every case that changed in the table `touched_event`, in their order. An
    event is *new*, or its identity is known already: then it is *unchanged* when its source says
    that it is newer and it is not different, *corrected* when it is different and not older, and a
    *duplicate* else. What a correction replaces goes to `event_history`.
    """
    parameters = {"low": cases[0], "high": cases[1]}
    _arrive(connection, staged, parameters)
    if _has_known_events(connection, staged, parameters):
        connection.execute(_match(staged), {"source": source, **parameters})
        counts = _count_fates(connection)
        connection.execute(_TOUCHED_BY_EVENTS)
        if counts.corrected:
            _correct(connection, staged, load_id)
        fresh = False
    else:
        (read,) = _row(connection, "select count(*) from arriving")
        counts = Counts(read=read, new=read)
        connection.execute(_ALL_NEW)
        connection.execute("create or replace temp table touched as select 0 as case_key limit 0")
        fresh = True
    connection.execute(_INSERT, {"load_id": load_id})
    if staged.details:
        connection.execute(_insert_details(staged))
    _merge_facts(connection, parameters)
    _gather_touched(connection, fresh)
    counts.check()
    return counts


def _arrive(
    connection: duckdb.DuckDBPyConnection, staged: Staged, parameters: dict[str, int]
) -> None:
    """The staged events of the range in the order of their cases, equal ones told apart.

    Equal events without an id are real repeats when they stand in one file: they are counted.
    """
    event_id = "event_id" if "event_id" in staged.details else "null::varchar"
    instance = "instance_id" if "instance_id" in staged.details else "null::varchar"
    connection.execute(
        _ARRIVING.format(event_id=event_id, instance_id=instance), parameters
    )
    (ties,) = _row(connection, _TIES)
    if ties:
        source = "lifecycle_source" if "lifecycle_source" in staged.details else "null"
        connection.execute(_OCCURRENCES.format(lifecycle_source=source))


def _has_known_events(
    connection: duckdb.DuckDBPyConnection, staged: Staged, parameters: dict[str, int]
) -> bool:
    (known,) = _row(
        connection,
        "select exists (select 1 from recorded_event where case_key between $low and $high)",
        parameters,
    )
    if not known and "event_id" in staged.details:
        (known,) = _row(
            connection, "select exists (select 1 from event_detail where event_id is not null)"
        )
    return bool(known)


def _count_fates(connection: duckdb.DuckDBPyConnection) -> Counts:
    fates = connection.execute(
        "select fate, count(*) from matched group by fate order by fate"
    ).fetchall()
    (read,) = _row(connection, "select count(*) from arriving")
    return Counts(read=read, **dict(fates))


def _correct(connection: duckdb.DuckDBPyConnection, staged: Staged, load_id: int) -> None:
    """Replace what is known by what is newer; columns that the source does not give stay."""
    connection.execute(
        "insert into event_history select columns(e.*), $load_id from event as e "
        "semi join (select known_key from matched where fate = 'corrected') as m "
        "on m.known_key = e.event_key",
        {"load_id": load_id},
    )
    keyed = "".join(f", {key} = m.{key}" for key in staged.keyed)
    connection.execute(
        f"update recorded_event set case_key = m.case_key, activity_key = m.activity_key, "
        f"lifecycle = m.lifecycle, timestamp = m.timestamp, position = m.position, "
        f"load_id = $load_id{keyed} from matched as m "
        f"where m.fate = 'corrected' and m.known_key = recorded_event.event_key",
        {"load_id": load_id},
    )
    if not staged.details:
        return
    kept = ", ".join(
        f"s.{name}" if name in staged.details else f"d.{name}" for name in DETAILS
    )
    connection.execute(
        f"create or replace temp table corrected_detail as "
        f"select m.process_key, m.case_key, m.known_key as event_key, {kept} from matched as m "
        f"join staged as s on s.rowid = m.staged_row "
        f"left join event_detail as d on d.event_key = m.known_key where m.fate = 'corrected'"
    )
    connection.execute(
        "delete from event_detail where event_key in (select event_key from corrected_detail)"
    )
    connection.execute("insert into event_detail from corrected_detail")
    connection.execute("drop table corrected_detail")


def _merge_facts(connection: duckdb.DuckDBPyConnection, parameters: dict[str, int]) -> None:
    (facts,) = _row(connection, "select count(*) from staged_fact")
    if not facts:
        return
    connection.execute(_CHANGED_FACTS, parameters)
    connection.execute(_MERGE_FACTS)
    connection.execute(
        "insert into touched select case_key from changed_fact anti join touched using (case_key)"
    )
    connection.execute("drop table changed_fact")


def _gather_touched(connection: duckdb.DuckDBPyConnection, fresh: bool) -> None:
    """Where all cases of the range are new, what arrived is all there is of them."""
    connection.execute("drop table if exists touched_event")
    if fresh:
        connection.execute("alter table arriving rename to touched_event")
    else:
        connection.execute(TOUCHED_EVENTS)
        connection.execute("drop table arriving")
    connection.execute("drop table if exists matched")
    connection.execute("drop view if exists fresh_event")


def _match(staged: Staged) -> str:
    """The statement that finds for each arriving event the known one of the same identity."""
    source = "s.lifecycle_source" if "lifecycle_source" in staged.details else "null"
    version = "s.version" if "version" in staged.details else "null::bigint"
    differs = ["e.case_key <> b.case_key", "e.activity_key <> b.activity_key"]
    differs += ["e.lifecycle <> b.lifecycle", "e.timestamp <> b.timestamp"]
    differs += [f"e.{key} is distinct from b.{key}" for key in staged.keyed]
    differs += [
        f"d.{name}::json::varchar is distinct from s.{name}::json::varchar"
        if name == "attributes"
        else f"d.{name} is distinct from s.{name}"
        for name in staged.details
        if name not in ("event_id", "version")
    ]
    return _MATCH.format(
        lifecycle_source=source, version=version, differs="\n        or ".join(differs)
    )


def _insert_details(staged: Staged) -> str:
    names = ", ".join(f"s.{name}" for name in staged.details)
    some = " or ".join(f"s.{name} is not null" for name in staged.details)
    return (
        f"insert into event_detail by name select f.process_key, f.case_key, f.event_key, {names} "
        f"from fresh_event as f join staged as s on s.rowid = f.staged_row where {some}"
    )


def _row(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: dict[str, int] | None = None
) -> tuple[int, ...]:
    row = connection.execute(sql, parameters or {}).fetchone()
    assert row is not None
    return row


_ARRIVING = """
create or replace temp table arriving as
with base as (
    select coalesce(max(event_key), 0) + 1 as first_key
    from recorded_event
)
select
    process_key,
    case_key,
    (select first_key from base) + staged.rowid - (select min(rowid) from staged) as event_key,
    staged.rowid as staged_row,
    activity_key,
    lifecycle,
    timestamp,
    position,
    1::integer as occurrence,
    {event_id} as event_id,
    {instance_id} as instance_id,
    attempt,
    resource_key,
    error_key,
    version_key
from staged
where case_key between $low and $high
order by case_key, timestamp, position
"""

_TIES = """
select count(*)
from (
    select case_key = lag(case_key) over () and timestamp = lag(timestamp) over () as tied
    from arriving
)
where tied
"""

_OCCURRENCES = """
update arriving
set occurrence = numbered.number
from (
    select
        b.staged_row,
        row_number() over (
            partition by b.case_key, b.timestamp, b.activity_key, b.lifecycle, {lifecycle_source},
                b.resource_key
            order by b.position, b.staged_row
        ) as number
    from arriving as b
    join staged as s on s.rowid = b.staged_row
    semi join (
        select case_key, timestamp
        from arriving
        group by case_key, timestamp
        having count(*) > 1
    ) as tie on tie.case_key = b.case_key and tie.timestamp = b.timestamp
    where b.event_id is null
) as numbered
where arriving.staged_row = numbered.staged_row and numbered.number > 1
"""

_MATCH = """
create or replace temp table matched as
with known as (
    select b.staged_row, e.event_key
    from arriving as b
    join staged as s on s.rowid = b.staged_row
    join recorded_event as e
        on e.case_key = b.case_key
        and e.timestamp = b.timestamp
        and e.activity_key = b.activity_key
        and e.occurrence = b.occurrence
        and e.lifecycle = b.lifecycle
        and e.resource_key is not distinct from b.resource_key
    left join event_detail as d on d.event_key = e.event_key
    where b.event_id is null
        and d.event_id is null
        and d.lifecycle_source is not distinct from {lifecycle_source}
        and e.case_key between $low and $high
    union all
    select b.staged_row, d.event_key
    from arriving as b
    join event_detail as d on d.process_key = b.process_key and d.event_id = b.event_id
    join recorded_event as e on e.event_key = d.event_key
    join load as l on l.load_id = e.load_id
    where l.source = $source
),
compared as (
    select
        b.staged_row,
        k.event_key as known_key,
        e.case_key as known_case_key,
        {version} as version,
        coalesce({version}, 0) - coalesce(d.version, 0) as newer_by,
        {differs} as differs
    from arriving as b
    join staged as s on s.rowid = b.staged_row
    left join known as k on k.staged_row = b.staged_row
    left join recorded_event as e on e.event_key = k.event_key
    left join event_detail as d on d.event_key = k.event_key
)
select
    b.*,
    c.known_key,
    c.known_case_key,
    case
        when c.known_key is null then 'new'
        when c.differs and (c.newer_by > 0 or c.version is null) then 'corrected'
        when not c.differs and c.newer_by > 0 then 'unchanged'
        else 'duplicate'
    end as fate
from arriving as b
join compared as c using (staged_row)
"""

_ALL_NEW = "create or replace temp view fresh_event as from arriving"

_TOUCHED_BY_EVENTS = """
create or replace temp view fresh_event as
select columns(*) from matched where fate = 'new' order by case_key, timestamp, position;
create or replace temp table touched as
select case_key
from matched
where fate in ('new', 'corrected')
union
select known_case_key
from matched
where fate = 'corrected'
"""

_INSERT = """
insert into recorded_event by name
select
    process_key,
    case_key,
    event_key,
    activity_key,
    lifecycle,
    timestamp,
    position,
    occurrence,
    attempt,
    resource_key,
    error_key,
    version_key,
    $load_id as load_id
from fresh_event
"""

TOUCHED_EVENTS = """
create or replace temp table touched_event as
select
    e.process_key,
    e.case_key,
    e.activity_key,
    e.lifecycle,
    e.timestamp,
    e.position,
    d.instance_id,
    e.attempt,
    e.resource_key,
    e.error_key,
    e.version_key
from recorded_event as e
left join event_detail as d on d.event_key = e.event_key and d.instance_id is not null
where e.case_key between (select min(case_key) from touched) and (select max(case_key) from touched)
    and e.case_key in (select case_key from touched)
order by e.case_key, e.timestamp, e.position, e.occurrence
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
