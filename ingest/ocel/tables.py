"""Object-centric logs as four temporary tables, whatever file they come from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import uuid4

import duckdb
import polars as pl

from ingest.xes.events import Found
from ingest.xes.time import instants
from miner.eventlog.schema import INSTANT

BATCH_ROWS = 50_000

EVENT = pl.Schema(
    {
        "event": pl.Int64(),  # running number in the file
        "event_id": pl.String(),
        "activity": pl.String(),
        "timestamp": INSTANT,
        "attributes": pl.String(),
        "reason": pl.String(),
    }
)
RELATION = pl.Schema(
    {
        "event": pl.Int64(),  # null: known by its id only
        "event_id": pl.String(),
        "object_id": pl.String(),
        "qualifier": pl.String(),
    }
)
OBJECT = pl.Schema({"object_id": pl.String(), "object_type": pl.String()})
VALUE = pl.Schema(
    {
        "object_id": pl.String(),
        "name": pl.String(),
        "since": INSTANT,  # null: from the beginning
        "value": pl.String(),  # as JSON
    }
)
SCHEMAS = {"event": EVENT, "relation": RELATION, "object": OBJECT, "value": VALUE}
RAW = {
    table: pl.Schema(
        {c: pl.String() if c in ("timestamp", "since") else t for c, t in schema.items()}
    )
    for table, schema in SCHEMAS.items()
}

MAX_INTEGER = 2**63


class OcelTables:
    """Takes the records of an object-centric log one by one and stores them in batches."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, zone: str) -> None:
        self.connection = connection
        self.found = Found()
        self.undeclared: set[str] = set()
        """Types of events or objects that the file uses without declaring them."""
        self.zone = zone
        self._suffix = uuid4().hex
        self._waiting: dict[str, list[tuple[Any, ...]]] = {table: [] for table in SCHEMAS}
        self._events = 0

    def name(self, table: str) -> str:
        """The name of a table in the connection: `event`, `relation`, `object`, `value` or ours."""
        return f"ocel_{table}_{self._suffix}"

    def create(self) -> None:
        """Make the tables, empty."""
        for table in SCHEMAS:
            self._insert(table, SCHEMAS[table].to_frame(), "create temp table {} as")

    def drop(self) -> None:
        """Remove the tables."""
        for table in (*SCHEMAS, "case"):
            self.connection.execute(f"drop table if exists temp.{self.name(table)}")

    def add_event(
        self,
        event_id: Any,
        activity: Any,
        timestamp: Any,
        attributes: Mapping[str, Any],
        objects: Iterable[tuple[Any, Any]] = (),
        *,
        position: int | None = None,
    ) -> None:
        """An event, and the ids of the objects it touches, each with a qualifier.

        Events come in the order of the file, unless `position` says which place they have in it.
        """
        number = self._events if position is None else position
        self._events += 1
        reason = None
        if event_id is None or event_id == "":
            reason = "no event id"
        elif activity is None or activity == "":
            reason = "no event type"
        json_text = json_of(attributes)
        row = (number, _text(event_id), _text(activity), _text(timestamp), json_text, reason)
        self._add("event", row)
        for object_id, qualifier in objects:
            relation = (number, _text(event_id), _text(object_id), _text(qualifier))
            self._add("relation", relation)

    def add_relation(self, event_id: Any, object_id: Any, qualifier: Any) -> None:
        """That an event, known by its id, touches an object."""
        self._add("relation", (None, _text(event_id), _text(object_id), _text(qualifier)))

    def add_object(self, object_id: Any, object_type: Any) -> None:
        """An object."""
        self._add("object", (_text(object_id), _text(object_type)))

    def add_value(self, object_id: Any, name: Any, since: Any, value: Any) -> None:
        """A value of an attribute of an object, from an instant on."""
        if value is not None:
            self._add("value", (_text(object_id), _text(name), _text(since), json_value(value)))

    def finish(self) -> None:
        """Store what is waiting, find the events of relations and mark events that repeat an id."""
        for table in SCHEMAS:
            self._flush(table)
        event, relation = self.name("event"), self.name("relation")
        self.connection.execute(
            f"""
            update temp.{event} as later
            set reason = 'an earlier event has the id ' || later.event_id
            from (select event_id, min(event) as event from temp.{event} group by event_id) as first
            where first.event_id = later.event_id and later.event > first.event
                and later.reason is null
            """
        )
        self.connection.execute(
            f"""
            update temp.{relation} as relation set event = found.event
            from (select event_id, min(event) as event from temp.{event} group by event_id) as found
            where relation.event is null and relation.event_id = found.event_id
            """
        )

    def _add(self, table: str, row: tuple[Any, ...]) -> None:
        waiting = self._waiting[table]
        waiting.append(row)
        if len(waiting) >= BATCH_ROWS:
            self._flush(table)

    def _flush(self, table: str) -> None:
        waiting = self._waiting[table]
        if not waiting:
            return
        columns = zip(*waiting, strict=True)
        frame = pl.DataFrame(
            [
                pl.Series(name, list(column), dtype=kind)
                for (name, kind), column in zip(RAW[table].items(), columns, strict=True)
            ]
        )
        waiting.clear()
        if table == "event":
            times = instants(frame["timestamp"], self.zone)
            self.found.add("naive", frame["timestamp"].filter(times["naive"]))
            self.found.add("finer", frame["timestamp"].filter(times["finer"]))
            reason = pl.coalesce("reason", times["reason"]).alias("reason")
            frame = frame.with_columns(times["timestamp"], reason)
        elif table == "value":
            frame = frame.with_columns(
                instants(frame["since"], self.zone)["timestamp"].alias("since")
            )
        self._insert(table, frame.match_to_schema(SCHEMAS[table]), "insert into temp.{}")

    def _insert(self, table: str, frame: pl.DataFrame, into: str) -> None:
        name = self.name(table)
        self.connection.register(f"{name}_batch", frame)
        self.connection.execute(f"{into.format(name)} from {name}_batch")
        self.connection.unregister(f"{name}_batch")


def json_of(attributes: Mapping[str, Any]) -> str | None:
    """Attributes as a JSON object, without those that are unknown; null where none is left."""
    known = {str(name): value for name, value in attributes.items() if value is not None}
    return json_value(known) if known else None


def json_value(value: Any) -> str:
    """A value as JSON; whole numbers beyond 64 bits and bytes become text."""
    return json.dumps(_exact(value), ensure_ascii=False)


def _exact(value: Any) -> Any:
    if isinstance(value, int) and not -MAX_INTEGER <= value < MAX_INTEGER:
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {key: _exact(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_exact(element) for element in value]
    return value


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
