"""Matching: which arriving events are known, by their id or, without one, by their content."""

from __future__ import annotations

import duckdb

from miner.eventlog.staging import DETAILS, KEYED, Staged


def merge_with_known(
    connection: duckdb.DuckDBPyConnection,
    staged: Staged,
    bounds: dict[str, int],
    *,
    source: str,
    load_id: int,
    last_key: int,
) -> dict[str, int]:
    """Merge a range of cases of which some events are known; how many met which fate.

    Leaves the keys of the cases that changed in the table `touched`.
    """
    keys = {"last_key": last_key, **bounds}
    event_id = "event_id" if "event_id" in staged.details else "null::varchar"
    connection.execute(_ARRIVING.format(event_id=event_id, keyed=keyed(staged)), keys)
    number_repeats(connection, staged, table="arriving", seen="arriving", **keys)
    connection.execute(_match(staged), {"source": source, **bounds})
    fates = connection.execute(
        "select fate, count(*) from matched group by fate order by fate"
    ).fetchall()
    connection.execute(_TOUCHED)
    if dict(fates).get("corrected"):
        _correct(connection, staged, load_id)
    if dict(fates).get("unchanged"):
        connection.execute(_NEWER_VERSION)
    connection.execute(_INSERT_NEW, {"load_id": load_id})
    if staged.details:
        connection.execute(insert_details(staged), {"last_key": last_key})
    connection.execute("drop table arriving")
    connection.execute("drop table matched")
    return dict(fates)


def number_repeats(
    connection: duckdb.DuckDBPyConnection,
    staged: Staged,
    *,
    table: str,
    seen: str,
    low: int,
    high: int,
    last_key: int,
) -> None:
    """Tell equal events without an id apart by counting them: in one file they are real repeats.

    `table` is `arriving` or `recorded_event`; in `seen` its rows of the range stand in order.
    """
    bounds = {"low": low, "high": high}
    row = connection.execute(_TIES.format(seen=seen), bounds).fetchone()
    if not row or not row[0]:
        return
    connection.execute(
        _OCCURRENCES.format(
            table=table,
            seen=seen,
            lifecycle_source=_optional(staged, "lifecycle_source", "varchar"),
            event_id=_optional(staged, "event_id", "varchar"),
        ),
        {"last_key": last_key, **bounds},
    )


def keyed(staged: Staged) -> str:
    """The optional keys of staged events, null where the source does not give them."""
    return ", ".join(f"{key if key in staged.keyed else 'null::integer'} as {key}" for key in KEYED)


def insert_details(staged: Staged) -> str:
    """The statement that keeps the details of staged events that were inserted."""
    names = ", ".join(f"s.{name}" for name in staged.details)
    some = " or ".join(f"s.{name} is not null" for name in staged.details)
    return (
        f"insert into event_detail by name "
        f"select s.process_key, s.case_key, s.rowid + 1 + $last_key as event_key, {names} "
        f"from staged as s semi join (select event_key from recorded_event "
        f"where event_key > $last_key) as e on e.event_key = s.rowid + 1 + $last_key "
        f"where {some}"
    )


def _correct(connection: duckdb.DuckDBPyConnection, staged: Staged, load_id: int) -> None:
    """Replace what is known by what is newer; columns that the source does not give stay."""
    connection.execute(_REMEMBER, {"load_id": load_id})
    keyed = "".join(f", {key} = m.{key}" for key in staged.keyed)
    connection.execute(_UPDATE.format(keyed=keyed), {"load_id": load_id})
    if not staged.details:
        return
    kept = ", ".join(
        _optional(staged, name, "varchar") if name == "lifecycle_source"
        else f"{'s' if name in staged.details else 'd'}.{name}"
        for name in DETAILS
    )  # fmt: skip
    connection.execute(_CORRECTED_DETAIL.format(kept=kept))
    connection.execute(
        "delete from event_detail where event_key in (select event_key from corrected_detail)"
    )
    connection.execute("insert into event_detail from corrected_detail")
    connection.execute("drop table corrected_detail")


def _match(staged: Staged) -> str:
    """The statement that finds for each arriving event the known one of the same identity."""
    differs = [
        "e.case_key <> b.case_key",
        "e.activity_key <> b.activity_key",
        "e.lifecycle <> b.lifecycle",
        "e.timestamp <> b.timestamp",
        f"d.lifecycle_source is distinct from {_optional(staged, 'lifecycle_source', 'varchar')}",
        *(f"e.{key} is distinct from b.{key}" for key in staged.keyed),
        *(
            f"d.{name}{_text(name)} is distinct from s.{name}{_text(name)}"
            for name in staged.details
            if name not in ("event_id", "version", "lifecycle_source")
        ),
    ]
    return _MATCH.format(
        lifecycle_source=_optional(staged, "lifecycle_source", "varchar"),
        version=_optional(staged, "version", "bigint"),
        differs="\n            or ".join(differs),
    )


def _text(name: str) -> str:
    return "::json::varchar" if name == "attributes" else ""


def _optional(staged: Staged, name: str, kind: str) -> str:
    return f"s.{name}" if name in staged.details else f"null::{kind}"


_ARRIVING = """
create or replace temp table arriving as
select
    process_key,
    case_key,
    staged.rowid + 1 + $last_key as event_key,
    staged.rowid as staged_row,
    activity_key,
    lifecycle,
    timestamp,
    position,
    1::integer as occurrence,
    {event_id} as event_id,
    {keyed}
from staged
where case_key between $low and $high
order by case_key, timestamp, position, staged.rowid
"""

_TIES = """
select count(*)
from (
    select case_key = lag(case_key) over () and timestamp = lag(timestamp) over () as tied
    from {seen}
    where case_key between $low and $high
)
where tied
"""

_OCCURRENCES = """
update {table}
set occurrence = numbered.number
from (
    select
        b.event_key,
        row_number() over (
            partition by b.case_key, b.timestamp, b.activity_key, b.lifecycle, {lifecycle_source},
                b.resource_key
            order by b.position, b.event_key
        ) as number
    from {seen} as b
    join staged as s on s.rowid + 1 + $last_key = b.event_key
    semi join (
        select case_key, timestamp
        from {seen}
        where case_key between $low and $high
        group by case_key, timestamp
        having count(*) > 1
    ) as tie on tie.case_key = b.case_key and tie.timestamp = b.timestamp
    where {event_id} is null
) as numbered
where {table}.event_key = numbered.event_key and numbered.number > 1
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
        and e.resource_key is not distinct from b.resource_key
    left join event_detail as d on d.event_key = e.event_key
    where b.event_id is null
        and d.event_id is null
        and coalesce(d.lifecycle_source, e.lifecycle::varchar)
            = coalesce({lifecycle_source}, b.lifecycle::varchar)
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

_TOUCHED = """
create or replace temp table touched as
select case_key
from matched
where fate in ('new', 'corrected')
union
select known_case_key
from matched
where fate = 'corrected'
"""

_INSERT_NEW = """
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
from matched
where fate = 'new'
order by case_key, timestamp, position, event_key
"""

_REMEMBER = """
insert into event_history
select columns(e.*), $load_id as replaced_by
from event as e
semi join (
    select known_key
    from matched
    where fate = 'corrected'
) as m on m.known_key = e.event_key
"""

_UPDATE = """
update recorded_event
set
    case_key = m.case_key,
    activity_key = m.activity_key,
    lifecycle = m.lifecycle,
    timestamp = m.timestamp,
    position = m.position,
    load_id = $load_id{keyed}
from matched as m
where m.fate = 'corrected' and m.known_key = recorded_event.event_key
"""

# Lest a version between the two, arriving late, count as newer than what is known.
_NEWER_VERSION = """
update event_detail
set version = s.version
from matched as m
join staged as s on s.rowid = m.staged_row
where m.fate = 'unchanged' and m.known_key = event_detail.event_key
"""

_CORRECTED_DETAIL = """
create or replace temp table corrected_detail as
select m.process_key, m.case_key, m.known_key as event_key, {kept}
from matched as m
join staged as s on s.rowid = m.staged_row
left join event_detail as d on d.event_key = m.known_key
where m.fate = 'corrected'
"""
