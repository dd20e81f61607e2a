"""From events that touch many objects to cases of one type."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingest.ocel.tables import OcelTables
from ingest.source import Note
from ingest.xes.notes import found_notes
from miner.errors import InputError, LogFormatError, UnknownNameError
from miner.eventlog.schema import BATCH

MAX_OTHERS = 100
"""An event with more other objects than this does not list them, as lists grow with the square."""

FLATTENED = {
    "case_id",
    "event_id",
    "activity",
    "timestamp",
    "position",
    "resource",
    "attributes",
    "case_attributes",
    "reason",
    "record",
}
SQL_TYPES = {"Int32": "integer", "Int64": "bigint", "String": "varchar"}


def select(tables: OcelTables) -> str:
    """A SELECT with the columns of `BATCH` from what `flatten` makes."""
    columns = ",\n    ".join(
        f'"{name}"' if name in FLATTENED else f'cast(null as {SQL_TYPES[str(kind)]}) as "{name}"'
        for name, kind in BATCH.items()
    )
    return f"select\n    {columns}\nfrom temp.{tables.name('case')}"


def object_type(tables: OcelTables, path: Path, wanted: str) -> str:
    """The type whose objects become cases: the wanted one, or the only one."""
    counted = tables.connection.sql(
        f"""
        select object_type, count(distinct object_id), count(distinct event)
        from temp.{tables.name("object")}
        left join temp.{tables.name("relation")} using (object_id)
        where object_type is not null
        group by object_type
        order by object_type
        """
    ).fetchall()
    types = {name: (objects, events) for name, objects, events in counted}
    if not types:
        raise LogFormatError(f"{path} has no objects.", hint="Export the log again.")
    if wanted and wanted not in types:
        raise UnknownNameError("object type", wanted, types)
    if not wanted and len(types) > 1:
        listed = ", ".join(f"{n} ({o:,} objects, {e:,} events)" for n, (o, e) in types.items())
        raise InputError(
            f"{path} has {len(types)} types of objects: {listed}.",
            hint="Choose whose objects become cases, for example "
            f"`--object-type {next(iter(types))!r}`.",
        )
    return wanted or next(iter(types))


def flatten(tables: OcelTables, path: Path, chosen: str) -> tuple[Note, ...]:
    """Make the table that `select` reads; returns what a person should know about it.

    One row per event and object of the type `chosen`, then one per event that cannot be used, and
    one per relation to what is not in the file.
    """
    names = {
        table: f"temp.{tables.name(table)}" for table in ("event", "relation", "object", "value")
    }
    tables.connection.execute(
        f"create temp table {tables.name('case')} as {FLATTEN.format(**names)}",
        {"type": chosen, "most": MAX_OTHERS},
    )
    case = f"temp.{tables.name('case')}"
    [(events,)] = tables.connection.sql(f"select count(*) from {names['event']}").fetchall()
    [(rows,)] = tables.connection.sql(f"select count(*) from {case}").fetchall()
    if not events or not rows:
        touching = "" if not events else f" that touch an object of type {chosen!r}"
        raise LogFormatError(
            f"{path} has no events{touching}.", hint="Choose another type or file."
        )
    return tuple(_notes(tables, names | {"case": case}, chosen))


def _notes(tables: OcelTables, names: dict[str, str], chosen: str) -> Iterator[Note]:
    counted = tables.connection.sql(
        COUNT.format(**names), params={"type": chosen, "most": MAX_OTHERS}
    )
    found: dict[str, Any] = dict(zip(counted.columns, counted.fetchall()[0], strict=True))
    yield Note("case", f"Cases are the objects of type {chosen!r}.")
    for name, (subject, text) in NOTES.items():
        if found[name]:
            yield Note(subject, text.format(n=f"{found[name]:,}", type=chosen, most=MAX_OTHERS))
    yield from found_notes(tables.found, tables.zone)
    if tables.undeclared:
        listed = ", ".join(repr(name) for name in sorted(tables.undeclared))
        yield Note("type", f"Types that the file uses without declaring them: {listed}.")


NOTES = {
    "copies": (
        "event",
        "{n} events are copies: an event that touches several objects of type {type!r} is there "
        "once for each of them.",
    ),
    "elsewhere": ("event", "{n} events touch no object of type {type!r} and are left out."),
    "idle": ("case", "{n} objects of type {type!r} have no events and become no case."),
    "again": ("case", "{n} objects are in the file more than once; their first type counts."),
    "changed": (
        "attributes",
        "{n} attributes of objects of type {type!r} change over time; the latest value is kept.",
    ),
    "crowded": (
        "attributes",
        "{n} events touch more than {most} other objects and do not list them.",
    ),
}

COUNT = """
select
    (select count(*) - count(distinct "position") from {case} where reason is null) as copies,
    (select count(*) from {event}) - (
        select count(distinct "position") from {case} where "position" is not null
    ) as elsewhere,
    (select count(distinct object_id) from {object} where object_type = $type) - (
        select count(distinct object_id) from {object} join {relation} using (object_id)
        where object_type = $type and event is not null
    ) as idle,
    (select count(*) - count(distinct object_id) from {object}) as again,
    (select count(*) from (
        select object_id, name from {value} semi join (
            select object_id from {object} where object_type = $type
        ) using (object_id)
        group by object_id, name having count(distinct value) > 1
    )) as changed,
    (select count(*) from (
        select event from {relation} join {object} using (object_id)
        where object_type <> $type and event is not null
        group by event having count(distinct object_id) > $most
    )) as crowded
"""

FLATTEN = """
with
thing as (
    select object_id, first(object_type order by rowid) as object_type
    from {object}
    where object_id is not null
    group by object_id
),
touch as (
    select
        event,
        object_id,
        object_type,
        string_agg(distinct nullif(qualifier, ''), ', ' order by nullif(qualifier, '')) as qualifier
    from {relation}
    join thing using (object_id)
    where event is not null
    group by event, object_id, object_type
),
others_of_type as (
    select
        event,
        object_type,
        count(*) as objects,
        cast(to_json(list(object_id order by object_id)) as varchar) as ids
    from touch
    where object_type <> $type
        and event in (select event from touch where object_type = $type)
    group by event, object_type
),
others as (
    select
        event,
        '{{' || string_agg(
            cast(to_json(object_type) as varchar) || ': ' || ids, ', ' order by object_type
        ) || '}}' as objects
    from others_of_type
    group by event
    having sum(objects) <= $most
),
latest as (
    select object_id, name, last(value order by since nulls first, rowid) as value
    from {value}
    where name is not null
        and object_id in (select object_id from thing where object_type = $type)
    group by object_id, name
),
described as (
    select
        object_id,
        '{{' || string_agg(
            cast(to_json(name) as varchar) || ': ' || value, ', ' order by name
        ) || '}}' as case_attributes
    from latest
    group by object_id
),
usable as (
    select
        touch.object_id as case_id,
        event.event_id || '/' || touch.object_id as event_id,
        event.activity,
        event.timestamp,
        event.event as "position",
        coalesce(
            json_extract_string(event.attributes, '$."org:resource"'),
            json_extract_string(event.attributes, '$.resource')
        ) as resource,
        nullif('{{' || concat_ws(
            ', ',
            event.attributes[2:-2],
            '"ocel:qualifier": ' || cast(to_json(touch.qualifier) as varchar),
            '"ocel:objects": ' || others.objects
        ) || '}}', '{{}}') as attributes,
        described.case_attributes,
        cast(null as varchar) as reason,
        cast(null as varchar) as record
    from touch
    join {event} as event using (event)
    left join others using (event)
    left join described using (object_id)
    where touch.object_type = $type and event.reason is null
),
broken as (
    select
        cast(null as varchar) as case_id,
        event.event_id,
        event.activity,
        event.timestamp,
        event.event as "position",
        cast(null as varchar) as resource,
        event.attributes,
        cast(null as varchar) as case_attributes,
        event.reason,
        cast(json_object(
            'id', event.event_id, 'type', event.activity,
            'attributes', cast(event.attributes as json)
        ) as varchar) as record
    from {event} as event
    where event.reason is not null and (
        event.event in (select event from touch where object_type = $type)
        or event.event not in (select event from touch)
    )
),
dangling as (
    select distinct
        cast(null as varchar) as case_id,
        relation.event_id,
        event.activity,
        event.timestamp,
        relation.event as "position",
        cast(null as varchar) as resource,
        cast(null as varchar) as attributes,
        cast(null as varchar) as case_attributes,
        case
            when relation.event is null
                then concat('the event ', relation.event_id, ' is not in the file')
            when relation.object_id is null then 'the event touches an object without an id'
            else concat('the object ', relation.object_id, ' is not in the file')
        end as reason,
        cast(json_object(
            'event', relation.event_id, 'object', relation.object_id,
            'qualifier', relation.qualifier
        ) as varchar) as record
    from {relation} as relation
    left join {event} as event using (event)
    left join thing using (object_id)
    where relation.event is null or thing.object_id is null
)
from usable
union all
from broken
union all
from dangling
"""
