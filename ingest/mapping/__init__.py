"""Mappings: how records without a fixed shape become events, said in a small TOML file.

A mapping names, in the words of the data model, which field or SQL expression holds what:

    case = "order.id"
    activity = "status"
    timestamp = "changed_at"
    timezone = "Europe/Berlin"

    [attributes]
    amount = "amount::double"

A value is a field or an expression. A field is the exact name of a column, or a path into nested
objects like `order.id` or `items[0].name`; an expression is a scalar SQL expression of DuckDB over
fields, in which a text stands in single quotes: `activity = "'Order ' || status"`.

Records come in three shapes, and a mapping means the same for each:

* rows of a table (CSV, Parquet, SQL): a field is a column, or a path into a column of JSON.
* JSON objects, one per line: a field is read from each object by its path, as text unless an
  expression casts it. No schema is inferred, fields may come and go.
* messages of Kafka or RabbitMQ, as JSON objects, one per line, made by whoever reads the queue:

      {"value": {…}, "key": "…", "headers": {"NAME": "…"}, "topic": "…", "partition": 0,
       "offset": 17, "timestamp": "2026-01-31T10:00:00.000000Z"}

  `value` is the decoded JSON of the message (a text if it is no JSON); the seven names are fields
  (`headers.NAME`, `value.status`), any other name is a field of `value`: `status`. A field of
  `value` that has one of the seven names is reached by `value.timestamp`. For RabbitMQ `topic` is
  the exchange, `key` the routing key, and properties stand among the headers. Without another
  `position`, events are ordered by `offset`. With `format = "cloudevents"` the attributes of the
  envelope (`id`, `source`, `type`, `time`, `subject`, extensions) and `data` are fields wherever
  they stand, in `value` (structured) or in the headers (binary).

`record` is always the whole record as JSON.
"""

from __future__ import annotations

import atexit
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import local

import duckdb
import polars as pl

from ingest.mapping.fields import Fields, JsonFields, TableFields
from ingest.mapping.file import Document, read_document
from ingest.mapping.sql import Plan
from ingest.mapping.times import ALL_YEARS
from ingest.mapping.values import Settings, Value
from ingest.tables.columns import Column
from miner.eventlog.schema import BATCH

RECORD = "record"
"""The column of JSON lines that are given as a frame."""
TEXTUAL = {"BLOB": "VARCHAR", '"NULL"': "VARCHAR"}
"""Types of columns that are read as texts: bytes, and those in which there is nothing."""
BROKEN = f"""
case
    when not json_valid({RECORD}) then 'not valid JSON'
    when json_type({RECORD}) <> 'OBJECT' then 'no JSON object'
end
"""


@dataclass(frozen=True)
class EventRule:
    """One event that a record may become."""

    values: tuple[tuple[str, Value], ...]
    """For each key of the data model that is given, what it is."""
    attributes: tuple[tuple[str, Value], ...] = ()
    case_attributes: tuple[tuple[str, Value], ...] = ()
    when: Value | None = None


@dataclass(frozen=True)
class Mapping:
    """What a mapping file says; values of this class are equal if they mean the same."""

    name: str
    """The file, for messages."""
    rules: tuple[EventRule, ...]
    settings: Settings

    @classmethod
    def read(cls, path: str | Path) -> Mapping:
        """The mapping in a file; InputError that names the line for whatever is wrong in it."""
        document = read_document(path)
        document.refuse_tables(besides=())
        return cls.of(document)

    @classmethod
    def of(cls, document: Document) -> Mapping:
        """The mapping in a document that may have tables of others, such as `[request]`."""
        rules = tuple(EventRule(*parts) for parts in document.rules())
        return cls(document.name, rules, document.settings())

    def events(self, records: pl.DataFrame | bytes, *, messages: bool = False) -> pl.DataFrame:
        """The events that records become, with the columns of `BATCH`.

        `records` are rows of a table, or JSON lines; with `messages` each line is a message as the
        docstring of this module describes. Rows come in the order of the records, for several
        `[[event]]` tables in that of the tables; what cannot become an event has `reason` and
        `record`. No records give no rows. InputError if a field is no column of the table or an
        expression does not fit the types of the columns.
        """
        if isinstance(records, bytes):
            frame = _lines(records)
            plan = _json_plan(self, messages)
        else:
            # Names that mean nothing, so that none of a table means something else in between.
            frame = records.rename({name: f"c{i}" for i, name in enumerate(records.columns)})
            plan = _table_plan(self, tuple(records.columns), _types(frame))
        if frame.is_empty():
            return pl.DataFrame(schema=BATCH)
        connection = _own_connection()
        connection.register("given", frame)
        try:
            events: pl.DataFrame = connection.sql(_selected(plan, connection)).pl()
        finally:
            connection.unregister("given")
        return events.match_to_schema(BATCH)

    def select(
        self,
        columns: Sequence[Column],
        relation: str,
        *,
        connection: duckdb.DuckDBPyConnection | None = None,
        position: str | None = None,
        record: str | None = None,
        broken: str | None = None,
        timezone: str | None = None,
    ) -> str:
        """A SELECT of the columns of `BATCH` over a relation with these columns, for big files.

        `position` is SQL for the number of a row, `record` for the row as text for quarantine,
        `broken` for why it cannot be used at all; `timezone` counts where the mapping names none.
        With the `connection` that has the relation, the rules of a time zone are looked up only for
        the years that occur, which makes a much shorter SELECT.
        """
        fields = TableFields(tuple(columns), record, self.name)
        plan = self._plan(fields, relation, timezone, position=position, broken=broken)
        return _selected(plan, connection)

    def select_lines(
        self,
        relation: str,
        line: str,
        *,
        connection: duckdb.DuckDBPyConnection | None = None,
        position: str | None = None,
        broken: str | None = None,
        messages: bool = False,
        timezone: str | None = None,
    ) -> str:
        """A SELECT of the columns of `BATCH` over a relation whose column `line` is JSON."""
        fields = JsonFields(line, messages, self.settings.format == "cloudevents")
        plan = self._plan(fields, relation, timezone, position=position, broken=broken)
        return _selected(plan, connection)

    def _plan(
        self,
        fields: Fields,
        relation: str,
        timezone: str | None = None,
        *,
        position: str | None = None,
        broken: str | None = None,
    ) -> Plan:
        settings = self.settings.with_zone(timezone)
        return Plan(
            self.rules, settings, self.name, fields, relation, position=position, broken=broken
        )


def _selected(plan: Plan, connection: duckdb.DuckDBPyConnection | None) -> str:
    survey = plan.survey()
    if survey is None or connection is None:
        return plan.select(ALL_YEARS)
    [(first, last)] = connection.sql(survey).fetchall()
    return plan.select(ALL_YEARS if first is None else (first, last))


class MappingFile(str):
    """The path of a mapping file, as an option of a source.

    Its representation tells what is in the file, so that a load with another content is another.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        import hashlib

        try:
            content = Path(self).read_bytes()
        except OSError:
            return f"{str.__str__(self)!r}"
        return f"mapping {hashlib.sha256(content).hexdigest()}"

    def mapping(self, *besides: str) -> Mapping:
        """What the file says, which may have the tables `besides`; parsed again when it changed."""
        try:
            state = Path(self).stat()
        except OSError:
            return Mapping.read(self)  # which says what is wrong
        return _mapping_in(str.__str__(self), besides, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=32)
def _mapping_in(path: str, besides: tuple[str, ...], _changed: int, _size: int) -> Mapping:
    document = read_document(path)
    document.refuse_tables(besides=besides)
    return Mapping.of(document)


class hardened:
    """A connection in memory that reaches no file, no network and no setting."""

    def __enter__(self) -> duckdb.DuckDBPyConnection:
        self._connection = duckdb.connect(
            config={"enable_external_access": "false", "threads": "2"}
        )
        self._connection.execute("set TimeZone = 'UTC'")
        self._connection.execute("set lock_configuration = true")
        return self._connection

    def __exit__(self, *exc: object) -> None:
        self._connection.close()


_OF_THREAD = local()


def _own_connection() -> duckdb.DuckDBPyConnection:
    """The hardened connection of this thread: making one takes longer than mapping a page."""
    found: duckdb.DuckDBPyConnection | None = getattr(_OF_THREAD, "connection", None)
    if found is None:
        found = _OF_THREAD.connection = hardened().__enter__()
        atexit.register(found.close)
    return found


def _lines(data: bytes) -> pl.DataFrame:
    texts = [line for line in data.decode("utf-8", "replace").split("\n") if line.strip()]
    return pl.DataFrame({RECORD: texts}, schema={RECORD: pl.String})


def _types(frame: pl.DataFrame) -> tuple[str, ...]:
    """The DuckDB types of the columns of a frame."""
    if frame.width == 0:
        return ()
    connection = _own_connection()
    connection.register("given", frame.clear())
    try:
        described = connection.sql("describe from given").fetchall()
    finally:
        connection.unregister("given")
    return tuple(str(kind) for _, kind, *_ in described)


@lru_cache(maxsize=64)
def _json_plan(mapping: Mapping, messages: bool) -> Plan:
    position = "try_cast(json_extract_string(record, '/offset') as bigint)" if messages else None
    fields = JsonFields(RECORD, messages, mapping.settings.format == "cloudevents")
    return mapping._plan(fields, "given", position=position, broken=BROKEN)


@lru_cache(maxsize=64)
def _table_plan(mapping: Mapping, names: tuple[str, ...], types: tuple[str, ...]) -> Plan:
    columns = tuple(
        Column(name, f"try(decode(c{i}))" if kind == "BLOB" else f"c{i}", TEXTUAL.get(kind, kind))
        for i, (name, kind) in enumerate(zip(names, types, strict=True))
    )
    return mapping._plan(TableFields(columns, None, mapping.name), "given")
