"""A small object-centric log, in each of its formats."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from ingest.sources.ocel import OcelFile
from miner.eventlog.schema import BATCH


def read(path: Path, object_type: str = "", **options: Any) -> tuple[pl.DataFrame, list[str]]:
    with duckdb.connect() as connection:
        source = OcelFile(str(path), object_type=object_type, **options)
        with source.scan(connection) as opened:
            frame = connection.sql(f'{opened.select} order by "position", case_id').pl()
            notes = [note.text for note in opened.notes]
        assert connection.sql("from duckdb_tables()").fetchall() == []
    assert frame.schema == BATCH
    return frame, notes


EVENTS: list[dict[str, Any]] = [
    {
        "id": "e1",
        "type": "place order",
        "time": "2024-01-01T10:00:00+01:00",
        "attributes": [{"name": "channel", "value": "web"}, {"name": "lines", "value": 2}],
        "relationships": [
            {"objectId": "o1", "qualifier": "order"},
            {"objectId": "i1", "qualifier": ""},
            {"objectId": "i2", "qualifier": ""},
        ],
    },
    {
        "id": "e2",
        "type": "ship",
        "time": "2024-01-02T10:00:00Z",
        "relationships": [
            {"objectId": "i1", "qualifier": "goods"},
            {"objectId": "i2", "qualifier": "goods"},
        ],
    },
]
OBJECTS: list[dict[str, Any]] = [
    {
        "id": "o1",
        "type": "order",
        "attributes": [
            {"name": "price", "time": "2024-01-05T00:00:00Z", "value": 20.5},
            {"name": "price", "time": "1970-01-01T00:00:00Z", "value": 10.5},
            {"name": "customer", "time": "1970-01-01T00:00:00Z", "value": "A & B"},
        ],
    },
    {"id": "i1", "type": "item"},
    {"id": "i2", "type": "item"},
    {"id": "i3", "type": "item"},
]


def log(*more_events: dict[str, Any], objects: list[dict[str, Any]] = OBJECTS) -> dict[str, Any]:
    events = [*EVENTS, *more_events]
    return {
        "eventTypes": [
            {
                "name": name,
                "attributes": [
                    {"name": "channel", "type": "string"},
                    {"name": "lines", "type": "integer"},
                ],
            }
            for name in ("place order", "ship")
        ],
        "objectTypes": [
            {
                "name": name,
                "attributes": [
                    {"name": "price", "type": "float"},
                    {"name": "customer", "type": "string"},
                ],
            }
            for name in ("order", "item")
        ],
        "events": events,
        "objects": objects,
    }


def as_json(content: Any, folder: Path) -> Path:
    path = folder / "log.jsonocel"
    path.write_text(json.dumps(content))
    return path


def as_xml(content: dict[str, Any], folder: Path) -> Path:
    """What pm4py writes for the same log."""
    from xml.sax.saxutils import escape, quoteattr

    def given(pairs: dict[str, Any]) -> str:
        return "".join(f" {k}={quoteattr(str(v))}" for k, v in pairs.items() if v is not None)

    def attributes(record: dict[str, Any]) -> str:
        inner = "".join(
            f"<attribute{given({'name': a['name'], 'time': a.get('time'), 'type': a.get('type')})}>"
            f"{escape(str(a.get('value', '')))}</attribute>"
            for a in record.get("attributes", [])
        )
        related = "".join(
            f"<relationship{given({'object-id': r['objectId'], 'qualifier': r['qualifier']})}/>"
            for r in record.get("relationships", [])
        )
        return f"<attributes>{inner}</attributes><objects>{related}</objects>"

    def section(name: str, records: list[dict[str, Any]], keys: tuple[str, ...]) -> str:
        inner = "".join(
            f"<{name}{given({k: r.get(k) for k in keys})}>{attributes(r)}</{name}>" for r in records
        )
        return f"<{name}s>{inner}</{name}s>"

    path = folder / "log.xmlocel"
    path.write_text(
        "<?xml version='1.0' encoding='UTF-8'?><log>"
        + section("object-type", content["objectTypes"], ("name",))
        + section("event-type", content["eventTypes"], ("name",))
        + section("object", content["objects"], ("id", "type"))
        + section("event", content["events"], ("id", "type", "time"))
        + "</log>"
    )
    return path


def as_sqlite(content: dict[str, Any], folder: Path) -> Path:
    path = folder / "log.sqlite"
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as database:
        for kind, own in (("event", ""), ("object", ", ocel_changed_field text")):
            database.execute(f"create table {kind} (ocel_id text, ocel_type text)")
            database.execute(f"create table {kind}_map_type (ocel_type text, ocel_type_map text)")
            for number, declared in enumerate(content[f"{kind}Types"]):
                columns = "".join(f', "{a["name"]}"' for a in declared["attributes"])
                database.execute(
                    f"create table {kind}_T{number} (ocel_id, ocel_time{own}{columns})"
                )
                row = (declared["name"], f"T{number}")
                database.execute(f"insert into {kind}_map_type values (?, ?)", row)
        columns = "ocel_event_id text, ocel_object_id text, ocel_qualifier text"
        database.execute(f"create table event_object ({columns})")
        tables = {
            (kind, declared["name"]): f"{kind}_T{number}"
            for kind in ("event", "object")
            for number, declared in enumerate(content[f"{kind}Types"])
        }
        for event in content["events"]:
            key = (event.get("id"), event.get("type"))
            database.execute("insert into event values (?, ?)", key)
            if ("event", event.get("type")) in tables:
                values = {a["name"]: a["value"] for a in event.get("attributes", [])}
                database.execute(
                    f"insert into {tables['event', event['type']]} values (?, ?, ?, ?)",
                    (event["id"], event.get("time"), values.get("channel"), values.get("lines")),
                )
            for related in event.get("relationships", []):
                database.execute(
                    "insert into event_object values (?, ?, ?)",
                    (event["id"], related["objectId"], related["qualifier"]),
                )
        for item in content["objects"]:
            database.execute("insert into object values (?, ?)", (item["id"], item["type"]))
            for value in item.get("attributes", []):
                price = value["value"] if value["name"] == "price" else None
                customer = value["value"] if value["name"] == "customer" else None
                changed = None if value["time"].startswith("1970") else value["name"]
                database.execute(
                    f"insert into {tables['object', item['type']]} values (?, ?, ?, ?, ?)",
                    (item["id"], value["time"], changed, price, customer),
                )
    database.close()
    return path
