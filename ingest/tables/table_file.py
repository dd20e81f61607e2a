"""Files that hold one table of events: the options they share."""

from __future__ import annotations

import tempfile
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import duckdb
import polars as pl

from ingest.mapping import Mapping, MappingFile
from ingest.source import FileSource, Note, Scan
from ingest.tables.columns import Roles, roles_of
from ingest.tables.event_tables import EventTable, as_text, select_events, with_rejected
from ingest.tables.event_times import EventTimes, event_times
from ingest.tables.time_zones import checked_choice, checked_zone
from ingest.workplace import Workplace
from miner.errors import InputError, LogFormatError

OUR_MISTAKES = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)
SAMPLE_ROWS = 10_000
"""Rows looked at to tell what columns hold, where their names leave it open."""

ROLES = (
    "case", "activity", "timestamp", "start", "resource", "lifecycle", "event_id", "instance",
    "attempt", "resource_kind", "error_type", "error_message", "process_version", "case_status",
    "position",
)  # fmt: skip


class TableScan(Scan):
    """An opened table, with what has to be removed when it is closed."""

    def __init__(
        self,
        select: str,
        given: frozenset[str] | None,
        notes: tuple[Note, ...],
        close: Callable[[], None],
    ) -> None:
        self.select = select
        self.given = given
        self.notes = notes
        self._close = close

    def __exit__(self, *exc: object) -> None:
        self._close()


@dataclass(frozen=True)
class TableFile(FileSource):
    """A file that is a table, each row an event or an activity with start and end."""

    case: Annotated[str | None, "column that says which case an event belongs to"] = None
    activity: Annotated[str | None, "column that says what was done"] = None
    timestamp: Annotated[str | None, "column that says when it happened or was completed"] = None
    start: Annotated[str | None, "column that says when it was started"] = None
    resource: Annotated[str | None, "column that says who or what did it"] = None
    lifecycle: Annotated[str | None, "column with start, complete and the like"] = None
    timezone: Annotated[str | None, "zone of times without an offset, like Europe/Berlin"] = None
    daylight_saving: Annotated[
        str, "for local times that occur twice or never: reject, earlier or later"
    ] = "reject"
    day_first: Annotated[bool | None, "whether 01/02/2026 is in February"] = None
    event_id: Annotated[str | None, "column with the identity of the event in its system"] = None
    instance: Annotated[str | None, "column that ties start and end of an activity"] = None
    attempt: Annotated[str | None, "column that counts attempts from 1"] = None
    resource_kind: Annotated[str | None, "column that tells people from systems"] = None
    error_type: Annotated[str | None, "column with the kind of error"] = None
    error_message: Annotated[str | None, "column with the text of the error"] = None
    process_version: Annotated[str | None, "column with the deployed version"] = None
    case_status: Annotated[str | None, "column with the outcome of the case"] = None
    position: Annotated[str | None, "column that orders events of the same time"] = None
    mapping: Annotated[
        MappingFile | None, "file that says what columns hold, instead of guessing"
    ] = None

    @abstractmethod
    def open_table(self, workplace: Workplace) -> tuple[EventTable, list[Note]]:
        """The table of the file on the workplace's connection, and what was decided."""

    def scan(self, connection: duckdb.DuckDBPyConnection) -> Scan:
        """Open the table and decide what its columns hold.

        Makes temporary tables, so a transaction that is open ends up aborted if the file is bad.
        """
        checked_zone(self.timezone)
        checked_choice(self.daylight_saving)
        folder = tempfile.TemporaryDirectory(prefix="procession-", ignore_cleanup_errors=True)
        workplace = Workplace(connection, Path(folder.name))

        def close() -> None:
            workplace.clear()
            folder.cleanup()

        try:
            select, given, notes = self._opened(workplace)
        except duckdb.Error as error:
            close()
            raise self._failure(error) from error
        except BaseException:
            close()
            raise
        return TableScan(select, given, notes, close)

    def _failure(self, error: duckdb.Error) -> Exception:
        """What a user should hear; an error in our SQL stays what it is."""
        if isinstance(error, OUR_MISTAKES):
            return error
        reason = str(error).splitlines()[0]
        if isinstance(error, duckdb.OutOfMemoryException):
            return InputError(
                f"There is no room to read {self.path!r}: {reason}",
                hint="Give more memory, or more disk for temporary files.",
            )
        return LogFormatError(
            f"{self.path!r} cannot be read: {reason}", hint="Copy or export it again."
        )

    def mapped(
        self, table: EventTable, mapping: Mapping, connection: duckdb.DuckDBPyConnection
    ) -> str:
        """A SELECT of the events that the rows become by a mapping."""
        return mapping.select(
            table.columns,
            table.relation,
            connection=connection,
            position=table.position,
            record=table.record,
            broken=table.broken,
            timezone=self.timezone,
        )

    def _refuse_columns(self) -> None:
        if given := [role for role in ROLES if getattr(self, role) is not None]:
            raise InputError(
                f"--{given[0].replace('_', '-')} and --mapping cannot both be given.",
                hint="Say in the mapping what the column holds.",
            )

    def _opened(self, workplace: Workplace) -> tuple[str, frozenset[str] | None, tuple[Note, ...]]:
        table, notes = self.open_table(workplace)
        connection = workplace.connection
        if self.mapping is not None:
            self._refuse_columns()
            select = self.mapped(table, Mapping.read(self.mapping), connection)
            return with_rejected(select, table.rejected), None, tuple(notes)

        def sample() -> pl.DataFrame:
            texts = ", ".join(f"{as_text(c)} as c{i}" for i, c in enumerate(table.columns))
            rows = f"select {texts} from {table.relation} limit {SAMPLE_ROWS}"
            frame: pl.DataFrame = connection.sql(rows).pl()
            return frame

        roles = roles_of(table.columns, {role: getattr(self, role) for role in ROLES}, sample)
        table, roles = table.prepared(workplace, roles)
        times = event_times(
            connection,
            table.relation,
            roles,
            day_first=self.day_first,
            timezone=self.timezone,
            daylight_saving=self.daylight_saving,
        )
        select, given, more = select_events(connection, table, roles, times)
        said = (*notes, *_with_how(roles, times), *times.notes, *more)
        return select, given, said


def _with_how(roles: Roles, times: EventTimes) -> list[Note]:
    """What each column was taken for, and how the times in it are written."""
    notes = []
    for note in roles.notes:
        how = times.how.get(note.subject)
        notes.append(Note(note.subject, f"{note.text}, {how}") if how else note)
    for role in times.how.keys() & roles.given:
        notes.append(Note(role, f"column {roles.columns[role].name!r}, {times.how[role]}"))
    return notes
