"""Changes of the tables of a SQL database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import polars as pl

from ingest.change_streams import Stream, with_defaults
from ingest.databases.errors import shown_address
from ingest.mapping import MappingFile
from ingest.source import Fetched, Known, Secret, SystemSource
from miner.errors import InputError
from miner.eventlog.definitions import Limitation


@dataclass(frozen=True)
class SqlChanges(SystemSource):
    """Changes of tables, from the log of PostgreSQL, MySQL or MariaDB: no change is missed.

    A mapping file says what the columns hold, before and after each change.
    """

    name: ClassVar[str] = "sql-changes"

    database: Annotated[Secret, "address like postgresql://user:password@host/database"]
    mapping: Annotated[MappingFile, "file that says what a change means"]
    tables: Annotated[str, "tables to follow, with commas between; all if none is named"] = ""
    slot: Annotated[str, "replication slot of PostgreSQL, made if there is none"] = "procession"
    server_id: Annotated[int, "number of this reader among the replicas of MySQL"] = 2_026_001
    page: Annotated[int, "changes that are taken over at a time"] = 5_000

    def fetch(self, known: Known) -> Iterator[Fetched]:
        """Yield the changes that were logged since the last load."""
        with_defaults(MappingFile(self.mapping).mapping())
        first = known.cursor is None
        for changes in self._stream(known.cursor or {}):
            said = self._said() if first else ()
            first = False
            yield Fetched(changes.raw, changes.position, said, changes.confirm)

    def _stream(self, position: dict[str, Any]) -> Stream:
        kind = str.__str__(self.database).split(":")[0].split("+")[0].lower()
        tables = [name.strip() for name in self.tables.split(",") if name.strip()]
        if kind in ("postgresql", "postgres"):
            from ingest.change_streams.postgres import slot_changes

            return slot_changes(self.database, self.slot, tables, position.get("lsn"), self.page)
        if kind in ("mysql", "mariadb"):
            from ingest.change_streams.mysql import binlog_changes

            return binlog_changes(self.database, self.server_id, tables, position, self.page)
        raise InputError(
            f"Changes of {kind!r} cannot be followed.",
            hint="That is possible with postgresql, mysql and mariadb; else load with `sql`.",
        )

    def _said(self) -> tuple[Limitation, ...]:
        text = "Changes before the first that the database still had in its log are unknown."
        return (Limitation("retention", text, ("cycle_time",)),)

    def decode(self, raw: bytes) -> pl.DataFrame:
        """The events in records, see `ingest.change_streams`."""
        return with_defaults(MappingFile(self.mapping).mapping()).events(raw)

    def scope(self) -> str:
        """The address without user and password, and how it is followed."""
        address = shown_address(str.__str__(self.database))
        place = {"database": address, "tables": self.tables, "mapping": str(self.mapping)}
        return json.dumps(place | {"slot": self.slot}, sort_keys=True)
