"""Object-centric event logs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import duckdb

from ingest.ocel.flatten import FLATTENED, flatten, object_type, select
from ingest.ocel.json import read_json
from ingest.ocel.sqlite import read_sqlite
from ingest.ocel.tables import OcelTables
from ingest.ocel.xml import read_xml
from ingest.source import FileSource, Scan
from ingest.tables.time_zones import checked_zone
from ingest.xes.notes import filled
from ingest.xes.unpack import unpacked
from miner.errors import LogFormatError


@dataclass(frozen=True)
class OcelFile(FileSource):
    """An object-centric log (OCEL 2.0 or 1.0; JSON, XML or SQLite), seen from one type of object.

    Every object of that type becomes a case with the events that touch it, so an event that touches
    three of them is three events here; notes say how many. Ids of other objects that an event
    touches are in its attribute `ocel:objects`. Attributes of a case are the latest ones of its
    object. A log in JSON has to fit into memory; XML and SQLite are read as a stream.
    """

    name: ClassVar[str] = "ocel"

    object_type: Annotated[str, "type of the objects that become cases"] = ""
    timezone: Annotated[str | None, "zone of times without an offset, like Europe/Berlin"] = None

    def scan(self, connection: duckdb.DuckDBPyConnection) -> Scan:
        """Read the file into temporary tables of `connection`; they go when the scan is left.

        Raises LogFormatError where the file is not OCEL or has no events of the type,
        UnknownNameError for a type or a zone that does not exist, and InputError, with the types
        there are, where there are several and none is chosen.
        """
        checked_zone(self.timezone)
        opened = OcelScan(OcelTables(connection, self.timezone or "UTC"))
        try:
            opened.load(self)
        except BaseException:
            opened.__exit__()
            raise
        return opened


class OcelScan(Scan):
    """The events of an object-centric log, flattened into a temporary table."""

    def __init__(self, tables: OcelTables) -> None:
        self._tables = tables
        self.select = select(tables)

    def __exit__(self, *exc: object) -> None:
        self._tables.drop()

    def load(self, source: OcelFile) -> None:
        """Read the file and flatten it; afterwards `notes` are there."""
        path = Path(source.path)
        read = _reader(path)
        self._tables.create()
        read(path, self._tables)
        self._tables.finish()
        chosen = object_type(self._tables, path, source.object_type)
        self.notes = flatten(self._tables, path, chosen)
        self.given = filled(self._tables.connection, self._tables.name("case"), FLATTENED)


def _reader(path: Path) -> Callable[[Path, OcelTables], None]:
    head = next(unpacked(path), b"").lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")
    if head.startswith(b"SQLite format 3"):
        return read_sqlite
    if head.startswith(b"<"):
        return read_xml
    if head.startswith((b"{", b"[")):
        return read_json
    raise LogFormatError(
        f"{path} is no OCEL: it is neither JSON nor XML nor SQLite.", hint="Check the file."
    )
