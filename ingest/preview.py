"""Looking at the first events of a source before anything is loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import duckdb
import polars as pl

from ingest.source import FileSource, Known, Note, Source
from miner.eventlog import engine
from miner.eventlog.frames import with_all_columns

ROWS = 20


def preview(
    source: Source,
    *,
    rows: int = ROWS,
    tell_notes: Callable[[Sequence[Note]], None] | None = None,
) -> pl.DataFrame:
    """The first events that loading would make, and rows it would reject with their reason.

    Returns the columns of `BATCH` that hold something in them, at most `rows` rows, in the order of
    the source; no rows when there is nothing to load. Nothing is stored and no cursor moves. Raises
    what loading raises.
    """
    if isinstance(source, FileSource):
        connection = engine.in_memory()
        try:
            with source.scan(connection) as opened:
                if tell_notes:
                    tell_notes(opened.notes)
                events = _first(connection, opened.select, rows)
        finally:
            connection.close()
    else:
        events = pl.DataFrame()
        for page in source.pages(Known()):
            events = with_all_columns(page.events).head(rows)
            if events.height:
                break
    held = [name for name in events.columns if events[name].null_count() < events.height]
    return events.select(held)


def _first(connection: duckdb.DuckDBPyConnection, select: str, rows: int) -> pl.DataFrame:
    found: pl.DataFrame = connection.sql(f"from ({select}) limit {rows:d}").pl()
    return found
