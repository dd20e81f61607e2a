"""XES."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar
from uuid import uuid4

import duckdb

from ingest.source import FileSource, Scan
from ingest.tables.time_zones import checked_zone
from ingest.xes.elements import EVENT, Header, Rows, XesElements
from ingest.xes.events import EVENT_KEYS, EVENTS, TRACE_KEYS, TRACES, Found, events, traces
from ingest.xes.notes import filled, notes
from ingest.xes.xml import parse
from miner.errors import LogFormatError, UnknownNameError
from miner.eventlog.schema import BATCH

CONCEPT_NAME = "concept:name"
OF_TRACE = (*TRACE_KEYS.values(), "case_attributes")
OF_EVENT = ("position", *EVENT_KEYS.values(), "attributes", "reason", "record")


@dataclass(frozen=True)
class XesFile(FileSource):
    """A XES file (IEEE 1849), plain or packed with gzip, bzip2 or xz: a case per trace.

    The file is read as a stream, so its length does not matter. Attributes of events and of traces
    keep their types; defaults that the file declares as `global` are not filled in, because the
    standard means them for events that are yet to be made.
    """

    name: ClassVar[str] = "xes"

    activity: Annotated[str, "classifier, or key of the attribute, that names the activity"] = (
        CONCEPT_NAME
    )
    timezone: Annotated[str | None, "zone of times without an offset, like Europe/Berlin"] = None

    def scan(self, connection: duckdb.DuckDBPyConnection) -> Scan:
        """Read the file into temporary tables of `connection`; they go when the scan is left.

        Raises LogFormatError where the file is not XES to its last byte or has no events, and
        UnknownNameError for a zone or an activity that does not exist.
        """
        checked_zone(self.timezone)
        opened = XesScan(connection, self)
        try:
            opened.load()
        except BaseException:
            opened.__exit__()
            raise
        return opened


class XesScan(Scan):
    """The events and the traces of a XES file in two temporary tables."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, source: XesFile) -> None:
        self._connection = connection
        self._source = source
        self._found = Found()
        self._zone = source.timezone or "UTC"
        suffix = uuid4().hex
        self._events, self._traces = f"xes_event_{suffix}", f"xes_trace_{suffix}"
        self.select = _select(self._events, self._traces)

    def __exit__(self, *exc: object) -> None:
        for table in (self._events, self._traces):
            self._connection.execute(f"drop table if exists temp.{table}")

    def load(self) -> None:
        """Read the file, then count what there is to note."""
        for table, schema in ((self._events, EVENTS), (self._traces, TRACES)):
            empty = schema.to_frame()
            self._connection.register(f"{table}_empty", empty)
            self._connection.execute(f"create temp table {table} as from {table}_empty")
            self._connection.unregister(f"{table}_empty")
        path = Path(self._source.path)
        elements = XesElements(lambda name, rows: self._insert(name, rows, elements.header))
        parse(path, elements)
        self._refuse_nothing(path, elements.header)
        tables = (self._events, self._traces)
        self.notes = notes(elements, self._found, self._connection, tables, self._zone)
        self.given = filled(self._connection, self._events, OF_EVENT) | filled(
            self._connection, self._traces, OF_TRACE
        )

    def _insert(self, name: str, rows: Rows, header: Header) -> None:
        if name == EVENT:
            keys = self._activity_keys(header)
            frame = events(rows, header, keys, self._zone, self._found)
            table = self._events
        else:
            frame, table = traces(rows, header, self._found), self._traces
        self._connection.register(f"{table}_batch", frame)
        self._connection.execute(f"insert into temp.{table} from {table}_batch")
        self._connection.unregister(f"{table}_batch")

    def _activity_keys(self, header: Header) -> list[str]:
        wanted = self._source.activity
        if wanted == CONCEPT_NAME:
            return [header.key(CONCEPT_NAME)]
        return header.classifiers.get(wanted) or [wanted]

    def _refuse_nothing(self, path: Path, header: Header) -> None:
        [(found, named)] = self._connection.sql(
            f"select count(*), count(activity) from temp.{self._events}"
        ).fetchall()
        if not found:
            raise LogFormatError(f"{path} has no events.", hint="Export it again, or another one.")
        if not named and self._source.activity != CONCEPT_NAME:
            known = {*header.classifiers, CONCEPT_NAME}
            raise UnknownNameError("classifier or attribute", self._source.activity, known)


def _select(events_table: str, traces_table: str) -> str:
    def column(name: str) -> str:
        if name in OF_TRACE:
            return f'trace."{name}"'
        if name in OF_EVENT:
            return f'event."{name}"'
        return f'cast(null as varchar) as "{name}"'

    columns = ",\n    ".join(column(name) for name in BATCH)
    return (
        f"select\n    {columns}\n"
        f"from temp.{events_table} as event\n"
        f"left join temp.{traces_table} as trace using (trace)"
    )
