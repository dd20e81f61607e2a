"""The event log: the lazy selection of one process' cases that every analysis starts from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import polars as pl
from duckdb import DuckDBPyConnection

from miner.errors import UnknownNameError
from miner.eventlog import engine
from miner.eventlog.filters import KINDS, Condition, LogFilter
from miner.eventlog.frames import given_columns, with_all_columns
from miner.eventlog.merge import merge
from miner.eventlog.prepare import prepare_touched
from miner.eventlog.staging import stage, unstage

_TABLES = {
    "case": "case_key",
    "activity_instance": "case_key",
    "recorded_event": "case_key",
    "event_detail": "case_key",
    "case_identity": "case_key",
    "activity": None,
    "resource": None,
    "error": None,
    "process_version": None,
    "variant": None,
    "repeated_activity": None,
    "repeated_path": None,
    "model_name": None,
    "allowance": None,
    "trace": None,
    "traced_case": "case_key",
    "traced_load": None,
    "alignment": None,
    "trace_deviation": None,
    "model_quality": None,
    "load": None,
    "limitation": None,
}
"""What an analysis sees, and the column that the selection of cases narrows it by."""

_OF_ALL_PROCESSES = ("load", "limitation")


_RECORDS = """
create or replace temp view records as
select
    exists (
        select 1 from {source}.activity_instance
        where process_key = {key} and started_at is not null
    ) as starts,
    exists (
        select 1 from {source}.activity_instance
        where process_key = {key} and status in ('failed', 'timed_out')
    ) or exists (
        select 1 from {source}.case_identity
        where process_key = {key} and status is not null
    ) or exists (select 1 from {source}.error where process_key = {key}) as failures,
    exists (
        select 1 from {source}.activity_instance
        where process_key = {key} and attempt is not null
    ) as attempts
"""
"""What the process records at all, whatever the filter: what it does not record is unknown."""


class EventLog:
    """A lazy selection of one process; nothing is read until an analysis asks for rows.

    An analysis sees the tables of the data model, narrowed to the process and to the cases that
    meet the filter. Use a log in the thread that made it, and `copy` it for another one: DuckDB
    refuses to share a connection between threads.
    """

    def __init__(
        self, connection: DuckDBPyConnection, process: str, condition: LogFilter | None = None
    ) -> None:
        self.process = process
        self.condition = condition or LogFilter()
        self._store = connection
        self._connection = connection.cursor()
        self._process_key = self._key_of(process)
        self._narrow()

    @classmethod
    def from_frame(cls, events: pl.DataFrame, process: str = "log") -> EventLog:
        """A log in memory, for tests and notebooks; `events` has columns of `BATCH`.

        Columns that are missing are unknown. Rows with a `reason` are left out.
        """
        connection = engine.in_memory()
        connection.register("frame", with_all_columns(events))
        connection.execute("insert into process values (1, $1)", [process])
        given = given_columns(events)
        staged = stage(connection, "select columns(*) from frame", process=process, given=given)
        for cases in staged.ranges:
            merge(connection, staged, cases=cases, source="frame", load_id=1)
            prepare_touched(connection)
        unstage(connection)
        connection.unregister("frame")
        return cls(connection, process)

    def filter(self, condition: LogFilter) -> EventLog:
        """The cases that also meet `condition`, each with all of its events.

        Raises UnknownNameError for an activity or resource that no case of the process has: an
        empty result would hide the slip.
        """
        if not condition:
            return self
        joined = LogFilter(self.condition.conditions + condition.conditions)
        return EventLog(self._store, self.process, joined)

    def copy(self) -> EventLog:
        """The same log on a connection of its own, for use in another thread."""
        return EventLog(self._store, self.process, self.condition)

    def query(self, sql: str, schema: pl.Schema, **parameters: Any) -> pl.DataFrame:
        """Run one SELECT over the log; returns exactly the columns of `schema`.

        SQL gives durations as whole microseconds, because DuckDB intervals count months and Polars
        durations do not.
        """
        with engine.translated():
            found = self._connection.sql(sql, params=parameters or None)
            result: pl.DataFrame = found.pl()
        return result.select(
            pl.col(name).cast(_through(kind)).cast(kind) for name, kind in schema.items()
        )

    def lay(self, name: str, content: str | pl.DataFrame, **parameters: Any) -> None:
        """Lay a table of this log alone beside those of the data model.

        `content` is a SELECT, run once and now, or a frame. `name` is written into the SQL as it
        is; a table laid before under the same name is replaced.
        """
        with engine.translated():
            if isinstance(content, str):
                self._connection.execute(
                    f"create or replace temp table {name} as {content}", parameters or None
                )
                return
            self._connection.register("laid", content)
            try:
                self._connection.execute(f"create or replace temp table {name} as from laid")
            finally:
                self._connection.unregister("laid")

    def batches(self, sql: str, *, rows: int = 100_000) -> Iterator[pl.DataFrame]:
        """The result of one SELECT piece by piece, in memory that does not grow with it."""
        with engine.translated():
            for batch in self._connection.sql(sql).to_arrow_reader(rows):
                frame = pl.from_arrow(batch)
                assert isinstance(frame, pl.DataFrame)
                yield frame

    def row(self, sql: str, **parameters: Any) -> dict[str, Any]:
        """The one row of a SELECT, by column name."""
        found = self.row_or_none(sql, **parameters)
        assert found is not None
        return found

    def row_or_none(self, sql: str, **parameters: Any) -> dict[str, Any] | None:
        """The first row of a SELECT, by column name; null when there is none."""
        with engine.translated():
            found: pl.DataFrame = self._connection.sql(sql, params=parameters or None).pl()
        return None if found.is_empty() else found.row(0, named=True)

    def known(self, kind: Literal["activity", "resource"], name: str) -> str:
        """`name`, if the log has an activity or resource of that name; else UnknownNameError."""
        rows = self._connection.execute(f"select {kind} from {kind} where {kind} is not null")
        names = {found for (found,) in rows.fetchall()}
        if name not in names:
            raise UnknownNameError(kind, name, names)
        return name

    def _key_of(self, process: str) -> int:
        with engine.translated():
            rows = (
                self._store.cursor().execute("select process, process_key from process").fetchall()
            )
        keys = dict(rows)
        if process not in keys:
            raise UnknownNameError("process", process, keys)
        return int(keys[process])

    def _narrow(self) -> None:
        """Lay views of the selection over the tables of the store."""
        with engine.translated():
            catalog = self._connection.execute("select current_database()").fetchone()
            assert catalog is not None
            source = '"' + catalog[0].replace('"', '""') + '".main'
            for table in _TABLES:
                whole = table in _OF_ALL_PROCESSES
                narrowed = "" if whole else f"where process_key = {self._process_key:d}"
                self._connection.execute(
                    f'create or replace temp view "{table}" as from {source}."{table}" {narrowed}'
                )
            self._connection.execute(_RECORDS.format(source=source, key=f"{self._process_key:d}"))
            if self.condition:
                self._select_cases(source)

    def _select_cases(self, source: str) -> None:
        self._connection.execute(
            'create or replace temp table selected_case as select case_key from "case"'
        )
        for condition in self.condition.conditions:
            self._keep(condition)
        for table, key in _TABLES.items():
            if key:
                self._connection.execute(
                    f'create or replace temp view "{table}" as '
                    f'from {source}."{table}" join selected_case using ({key}) '
                    f"where process_key = {self._process_key:d}"
                )

    def _keep(self, condition: Condition) -> None:
        join = "anti" if condition.inverted else "semi"
        kind = KINDS[condition.kind].names
        if kind:
            for name in condition.names():
                self.known(kind, name)
        self._connection.execute(
            "create or replace temp table still_selected as "
            f"select case_key from selected_case {join} join ({KINDS[condition.kind].sql}) "
            "using (case_key)",
            condition.parameters(),
        )
        self._connection.execute("drop table selected_case")
        self._connection.execute("alter table still_selected rename to selected_case")


def _through(kind: Any) -> Any:
    """The type a column takes on its way: whole microseconds before they become a duration."""
    return pl.Int64() if isinstance(kind, pl.Duration) else kind
