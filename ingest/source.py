"""What a source of events is, and how its options are read off it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from typing import Annotated, Any, ClassVar, get_args, get_origin, get_type_hints

import duckdb
import polars as pl


class Secret(str):
    """Text that never shows itself: not in messages, not in logs, not on screen."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


@dataclass(frozen=True)
class Source(ABC):
    """A file format or a system that events come from.

    To add one, write a frozen dataclass: its fields are its options, `read` yields its events. List
    it under `procession.sources` in pyproject.toml; the command line, the dashboards, the settings
    file and the contract tests find it there. On purpose, `read` raises InputError,
    SourceRefusedError and SourceUnavailableError only.
    """

    name: ClassVar[str]
    """What users type: lower case, words joined by hyphens."""

    @abstractmethod
    def read(self, since: datetime | None = None) -> Iterator[pl.DataFrame]:
        """Yield events in batches with the columns of `BATCH`.

        `event_id`, where the source has one, must be the same on every read. With `since`, events
        before that instant may be left out; leaving out later ones is an error.
        """


@dataclass(frozen=True)
class Note:
    """Something a person should know about a load: what was guessed, chosen or left out."""

    subject: str
    """What it is about: `case`, `timestamp`, `delimiter`, `lifecycle`, …"""
    text: str


class Scan(ABC):
    """A file opened on a DuckDB connection: its events as one SELECT, and what was decided.

    Use it as a context manager; leaving it removes what opening it made.
    """

    select: str
    """A SELECT with exactly the columns of `BATCH`, in order."""
    notes: tuple[Note, ...] = ()
    given: frozenset[str] | None = None
    """Columns of `BATCH` that may hold something, the others cost nothing; null: any of them."""

    def __enter__(self) -> Scan:
        return self

    @abstractmethod
    def __exit__(self, *exc: object) -> None: ...


@dataclass(frozen=True)
class FileSource(Source):
    """Events in a file. The whole file is one load, so equal rows in it are told apart."""

    path: Annotated[str, "the file to read"]

    @abstractmethod
    def scan(self, connection: duckdb.DuckDBPyConnection) -> Scan:
        """Open the file on `connection` and say how to select its events.

        Errors in the file as a whole are InputErrors; rows that cannot be used have a `reason`.
        """

    def read(self, since: datetime | None = None) -> Iterator[pl.DataFrame]:
        """All events of the file, whatever `since` says."""
        connection = duckdb.connect()
        try:
            connection.execute("set global TimeZone = 'UTC'")
            with self.scan(connection) as opened:
                for batch in connection.sql(opened.select).to_arrow_reader(100_000):
                    frame = pl.from_arrow(batch)
                    assert isinstance(frame, pl.DataFrame)
                    yield frame
        finally:
            connection.close()


@dataclass(frozen=True)
class Option:
    """One option of a source, as the command line and the forms need it."""

    name: str
    type: type
    help: str
    required: bool
    default: Any = None


def options_of(kind: type[Source]) -> list[Option]:
    """The options of a source, in the order of its fields."""
    hints = get_type_hints(kind, include_extras=True)
    found = []
    for field in fields(kind):
        hint = hints[field.name]
        annotated = get_args(hint) if get_origin(hint) is Annotated else (hint, "")
        plain, text = annotated[0], annotated[1]
        required = field.default is MISSING and field.default_factory is MISSING
        default = None if required else field.default
        kinds = [part for part in get_args(plain) if part is not type(None)]
        found.append(Option(field.name, kinds[0] if kinds else plain, text, required, default))
    return found
