"""SQL databases."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import polars as pl

from ingest import databases
from ingest.databases.cursor import OVERLAP_NUMBERS, OVERLAP_SECONDS, Position
from ingest.databases.errors import shown_address
from ingest.mapping import MappingFile
from ingest.source import Fetched, Known, Secret, SystemSource, options_given
from miner.errors import InputError
from miner.eventlog.definitions import Limitation


@dataclass(frozen=True)
class SqlDatabase(SystemSource):
    """Rows of a SQL database: PostgreSQL, MySQL, MariaDB, SQLite, SQL Server, Oracle and others.

    A mapping file says what the columns hold. With an incremental column only rows that are new or
    changed since the last load are read; without, all rows each time.
    """

    name: ClassVar[str] = "sql"

    database: Annotated[Secret, "address like postgresql://user:password@host/database"]
    mapping: Annotated[MappingFile, "file that says what columns hold"]
    table: Annotated[str, "table or view to read, with its schema if need be"] = ""
    query: Annotated[str, "SELECT to read instead of a table"] = ""
    incremental: Annotated[str, "column that grows with each new or changed row"] = ""
    overlap: Annotated[
        float | None,
        "how far before the last value to read again, in seconds or as a number "
        f"[{OVERLAP_SECONDS} or {OVERLAP_NUMBERS}]",
    ] = None
    page: Annotated[int, "rows that are taken over at a time"] = 50_000

    def fetch(self, known: Known) -> Iterator[Fetched]:
        """Rows as Arrow, some at a time, in order of the incremental column."""
        if bool(self.table) == bool(self.query):
            raise InputError(
                "Either a table or a query has to be given, not both.",
                hint="--table NAME, or --query 'select …'",
            )
        if self.overlap is not None and self.overlap < 0:
            raise InputError("--overlap cannot be negative.", hint="Give seconds, like 600.")
        if self.page < 1:
            raise InputError("--page has to be at least 1.", hint="Give a number like 50000.")
        MappingFile(self.mapping).mapping()
        with databases.connected(self.database) as database:
            yield from self._rows(database, Position.from_json(known.cursor))

    def _rows(self, database: databases.Database, before: Position | None) -> Iterator[Fetched]:
        snapshot = self._oldest_running(database)
        query, parameters = self._query(database, before, exact=snapshot is not None)
        unfinished = before.running if before and before.running else snapshot
        last = before
        found = database.frames(query, batch=self.page, parameters=parameters)
        for frame in found:
            last = self._position(frame, last, unfinished)
            yield Fetched(_as_bytes(frame), last and last.to_json())
        if last is not None and last.running != snapshot:
            # Only now all that was to be seen at the beginning was read.
            yield Fetched(b"", last.with_running(snapshot).to_json(), self._said(snapshot))
        elif self.incremental:
            yield Fetched(b"", None, self._said(snapshot))

    def _query(
        self, database: databases.Database, before: Position | None, *, exact: bool
    ) -> tuple[str, dict[str, Any]]:
        """The SELECT of the rows that are not known yet, or maybe not."""
        if self.table:
            name = ".".join(database.quoted(part) for part in self.table.split("."))
            source = f"{name} asked"
        else:
            source = f"({self.query.strip().rstrip(';')}\n) asked"
        select = f"select asked.* from {source}"
        if not self.incremental:
            return select, {}
        column = f"asked.{database.quoted(self.incremental)}"
        parameters: dict[str, Any] = {}
        if before is not None:
            parameters["since_value"] = before.start(self.overlap)
            condition = f"{column} >= :since_value"
            if exact and before.running is not None:
                # What was not committed then may lie anywhere. Ages: the numbers wrap around.
                parameters["since_running"] = str(before.running % 2**32)
                condition += " or age(asked.xmin) <= age(:since_running::text::xid)"
            select += f" where {condition}"
        return f"{select} order by {column}", parameters

    def _oldest_running(self, database: databases.Database) -> int | None:
        """The oldest transaction that has not ended, where tables tell who wrote their rows."""
        if database.kind != "postgresql" or not self.incremental or not self.table:
            return None
        name = ".".join(database.quoted(part) for part in self.table.split("."))
        rows = database.rows(
            "select pg_snapshot_xmin(pg_current_snapshot())::text from pg_class "
            "where oid = to_regclass(:name::text) and relkind in ('r', 'm')",
            {"name": name},
        )
        return int(rows[0][0]) if rows else None

    def _position(
        self, frame: pl.DataFrame, before: Position | None, running: int | None
    ) -> Position | None:
        if not self.incremental:
            return None
        if self.incremental not in frame.columns:
            known = ", ".join(frame.columns[:20])
            raise InputError(
                f"The rows have no column named {self.incremental!r}.", hint=f"Known: {known}."
            )
        return Position.after(frame[self.incremental], before, running)

    def _said(self, snapshot: int | None) -> tuple[Limitation, ...]:
        if snapshot is not None:
            return ()
        text = (
            "Rows whose transaction ended later than the overlap after they got their value of "
            f"{self.incremental} are not seen."
        )
        return (Limitation("late", text, ("cycle_time", "waiting_time")),)

    def decode(self, raw: bytes) -> pl.DataFrame:
        """The events in rows that were kept as Arrow."""
        mapping = MappingFile(self.mapping).mapping()
        if not raw:
            return mapping.events(b"")
        return mapping.events(pl.read_ipc_stream(io.BytesIO(raw)))

    def scope(self) -> str:
        """The address without user and password, and what is read from there."""
        import json

        place = {"database": shown_address(str.__str__(self.database))}
        what = {
            key: value
            for key, value in options_given(self).items()
            if key not in ("overlap", "page")
        }
        return json.dumps(place | what, sort_keys=True, default=str)


def _as_bytes(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_ipc_stream(buffer, compression="lz4")
    return buffer.getvalue()
