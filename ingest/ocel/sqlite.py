"""Object-centric logs in SQLite: OCEL 2.0, and the tables that pm4py writes for OCEL 1.0."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from ingest.ocel.tables import OcelTables
from miner.errors import LogFormatError

VERSION_2 = {"event", "object", "event_object", "event_map_type", "object_map_type"}
VERSION_1 = {"EVENTS", "OBJECTS", "RELATIONS"}
OWN = {"ocel_id", "ocel_time", "ocel_changed_field"}
ROWS = 10_000


def read_sqlite(path: Path, tables: OcelTables) -> None:
    """Read the log into `tables`, row by row.

    The file is opened as one that nobody may change; views and virtual tables, which could run
    code of the file, are not read. Raises LogFormatError for what is not OCEL in SQLite.
    """
    journal = path.with_name(f"{path.name}-wal")
    if journal.exists() and journal.stat().st_size:
        raise LogFormatError(
            f"{path} has changes that are still in {journal.name}.",
            hint="Close the program that writes it, or run `pragma wal_checkpoint(truncate)`.",
        )
    try:
        address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as database:
            database.execute("pragma trusted_schema = off")
            database.execute("pragma cell_size_check = on")
            names = _tables(database)
            if names >= VERSION_2:
                _read_events(database, names, tables)
                _read_objects(database, names, tables)
            elif names >= VERSION_1:
                _read_first_version(database, tables)
            else:
                missing = ", ".join(sorted(VERSION_2 - names))
                raise LogFormatError(
                    f"{path} is SQLite but no OCEL: it lacks the tables {missing}.",
                    hint="Export the log as OCEL 2.0.",
                )
    except sqlite3.Error as error:
        raise LogFormatError(
            f"{path} cannot be read as OCEL in SQLite: {error}.",
            hint="It is damaged or does not follow the standard; export it again.",
        ) from error


def _tables(database: sqlite3.Connection) -> set[str]:
    found = database.execute(
        "select name from sqlite_master where type = 'table' and sql not like 'create virtual%'"
    )
    return {name for (name,) in found}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _rows(
    database: sqlite3.Connection, sql: str, *parameters: str
) -> Iterator[tuple[list[str], tuple[Any, ...]]]:
    cursor = database.execute(sql, parameters)
    names = [column[0] for column in cursor.description]
    while rows := cursor.fetchmany(ROWS):
        for row in rows:
            yield names, row


def _types(
    database: sqlite3.Connection, names: set[str], kind: str, tables: OcelTables
) -> Iterator[tuple[str, str | None]]:
    """The types of events or objects, each with its table; null for a type that has none."""
    mapped = dict(database.execute(f"select ocel_type, ocel_type_map from {kind}_map_type"))
    used = database.execute(f"select distinct ocel_type from {_quoted(kind)}").fetchall()
    for (name,) in sorted(used, key=str):
        table = f"{kind}_{mapped.get(name)}"
        if table not in names and name is not None:
            tables.undeclared.add(str(name))
        yield name, table if table in names else None


def _read_events(database: sqlite3.Connection, names: set[str], tables: OcelTables) -> None:
    for name, table in _types(database, names, "event", tables):
        if table is None:
            sql = "select rowid, ocel_id from event where ocel_type is ? order by rowid"
            for _, (row, event_id) in _rows(database, sql, name):
                tables.add_event(event_id, name, None, {}, position=row)
            continue
        sql = (
            "select event.rowid, event.ocel_id, detail.* from event "
            f"left join {_quoted(table)} as detail on detail.ocel_id = event.ocel_id "
            "where event.ocel_type is ? order by event.rowid"
        )
        for columns, (row, event_id, *values) in _rows(database, sql, name):
            detail = dict(zip(columns[2:], values, strict=True))
            time = detail.get("ocel_time")
            attributes = {key: value for key, value in detail.items() if key not in OWN}
            tables.add_event(event_id, name, time, attributes, position=row)
    for _, relation in _rows(
        database, "select ocel_event_id, ocel_object_id, ocel_qualifier from event_object"
    ):
        tables.add_relation(*relation)


def _read_objects(database: sqlite3.Connection, names: set[str], tables: OcelTables) -> None:
    for _, (object_id, object_type) in _rows(database, "select ocel_id, ocel_type from object"):
        tables.add_object(object_id, object_type)
    for _, table in _types(database, names, "object", tables):
        if table is None:
            continue
        for columns, values in _rows(database, f"select * from {_quoted(table)}"):
            row = dict(zip(columns, values, strict=True))
            changed = row.get("ocel_changed_field")
            for name, value in row.items():
                if name not in OWN and (changed is None or changed == name):
                    tables.add_value(row.get("ocel_id"), name, row.get("ocel_time"), value)


def _read_first_version(database: sqlite3.Connection, tables: OcelTables) -> None:
    for columns, values in _rows(database, 'select * from "EVENTS"'):
        row = dict(zip(columns, values, strict=True))
        event_id, activity, timestamp = (
            row.pop(f"ocel:{key}", None) for key in ("eid", "activity", "timestamp")
        )
        tables.add_event(event_id, activity, timestamp, row)
    for columns, values in _rows(database, 'select * from "RELATIONS"'):
        row = dict(zip(columns, values, strict=True))
        tables.add_relation(row.get("ocel:eid"), row.get("ocel:oid"), row.get("ocel:qualifier"))
    for columns, values in _rows(database, 'select * from "OBJECTS"'):
        row = dict(zip(columns, values, strict=True))
        object_id = row.pop("ocel:oid", None)
        tables.add_object(object_id, row.pop("ocel:type", None))
        for name, value in row.items():
            tables.add_value(object_id, name, None, value)
