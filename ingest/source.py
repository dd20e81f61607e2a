"""What a source of events is, and how its options are read off it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, get_args, get_origin, get_type_hints

import duckdb
import polars as pl

from miner.eventlog.definitions import Definition, Limitation
from miner.eventlog.schema import BATCH

OVERLAP = timedelta(minutes=10)
"""How far before the latest known event a system is read again, for what it showed late."""


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
        """Yield events in batches with the columns of `BATCH`, or some of them.

        `event_id`, where the source has one, must be the same on every read. With `since`, events
        before that instant may be left out; leaving out later ones is an error.
        """

    def pages(self, known: Known) -> Iterator[Page]:
        """Yield what is not known yet in pages; by default all since a while before `known.since`.

        Each page is stored in one transaction together with its cursor, so reading may end at any
        moment. Yielding again what is known does no harm.
        """
        for events in self.read(known.since - OVERLAP if known.since else None):
            yield Page(events)

    def definitions(self) -> Iterator[Definition]:
        """Yield the modelled workflows that the system knows, each version of each; often none."""
        return iter(())

    def scope(self) -> str:
        """Which system this is: cursors are kept for each. By default all options but secrets."""
        return json.dumps(options_given(self), sort_keys=True, default=str)


@dataclass(frozen=True)
class Known:
    """What the store knows of a source already."""

    cursor: Any = None
    """The JSON value that the last stored page gave; null: nothing was read yet."""
    since: datetime | None = None
    """UTC time of the latest event that was loaded from this source; null: none was."""
    open_cases: tuple[str, ...] = ()
    """Cases from this source that were still running, to be read again."""


@dataclass(frozen=True)
class Page:
    """Events that are stored in one transaction, together with where reading goes on."""

    events: pl.DataFrame
    cursor: Any = None
    """A JSON value; null leaves the stored one as it is."""
    limitations: tuple[Limitation, ...] = ()
    acknowledge: Callable[[], None] | None = None
    """Called when the page is safely stored."""
    raw: bytes | None = None
    """What was pulled, kept in the landing."""


@dataclass(frozen=True)
class Fetched:
    """Bytes as a system answered them, and where reading goes on after them."""

    raw: bytes
    cursor: Any = None
    limitations: tuple[Limitation, ...] = ()
    acknowledge: Callable[[], None] | None = None


@dataclass(frozen=True)
class SystemSource(Source):
    """A system whose history is pulled: fetching bytes is one thing, decoding them another."""

    @abstractmethod
    def fetch(self, known: Known) -> Iterator[Fetched]:
        """Yield what the system answers, a bounded piece at a time."""

    @abstractmethod
    def decode(self, raw: bytes) -> pl.DataFrame:
        """The events in bytes that `fetch` yielded, with columns of `BATCH`; a pure function."""

    def limitations(self, events: pl.DataFrame, raw: bytes) -> tuple[Limitation, ...]:
        """What these bytes could not tell; by default nothing is known to be missing."""
        return ()

    def pages(self, known: Known) -> Iterator[Page]:
        """What `fetch` yields, decoded."""
        for fetched in self.fetch(known):
            events = self.decode(fetched.raw)
            found = (*fetched.limitations, *self.limitations(events, fetched.raw))
            yield Page(events, fetched.cursor, found, fetched.acknowledge, fetched.raw)

    def read(self, since: datetime | None = None) -> Iterator[pl.DataFrame]:
        """The events of the system since then, and some before it."""
        for page in self.pages(Known(since=since)):
            yield page.events


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
    limitations: tuple[Limitation, ...] = ()
    """What the file could not tell."""
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
class DecodedFile(FileSource):
    """Events in a file that Python has to decode, a bounded piece at a time."""

    @abstractmethod
    def frames(self) -> Iterator[pl.DataFrame]:
        """Yield the events with columns of `BATCH`; raises LogFormatError for no such file."""

    def scan(self, connection: duckdb.DuckDBPyConnection) -> Scan:
        """Decode the file into a temporary table."""
        return _DecodedScan(connection, self.frames())


class _DecodedScan(Scan):
    def __init__(
        self, connection: duckdb.DuckDBPyConnection, frames: Iterator[pl.DataFrame]
    ) -> None:
        from miner.eventlog.frames import with_all_columns

        self._connection = connection
        empty = pl.DataFrame(schema=BATCH)
        self._insert("create or replace temp table decoded as from decoded_frame", empty)
        given: set[str] = set()
        try:
            for frame in frames:
                given |= set(frame.columns)
                statement = "insert into decoded by name from decoded_frame"
                self._insert(statement, with_all_columns(frame))
        except BaseException:
            self.__exit__()
            raise
        self.given = frozenset(given)
        self.select = f"select {', '.join(BATCH)} from decoded"

    def _insert(self, statement: str, frame: pl.DataFrame) -> None:
        self._connection.register("decoded_frame", frame)
        try:
            self._connection.execute(statement)
        finally:
            self._connection.unregister("decoded_frame")

    def __exit__(self, *exc: object) -> None:
        self._connection.execute("drop table if exists decoded")


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


def options_given(source: Source) -> dict[str, Any]:
    """The options of a source that are no secrets, by name."""
    secret = {option.name for option in options_of(type(source)) if issubclass(option.type, Secret)}
    return {
        field.name: getattr(source, field.name)
        for field in fields(source)
        if field.name not in secret
    }
