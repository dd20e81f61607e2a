"""Sources read in tests: their events as one frame, and what they say about the file."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import pytest

from ingest.source import FileSource
from miner.errors import InputError
from miner.eventlog.schema import BATCH


def opened(source: FileSource) -> tuple[pl.DataFrame, dict[str, str]]:
    """All rows of a source, good or rejected, in order; and its notes by subject.

    The session is in Tokyo, so that nothing may depend on it.
    """
    connection = duckdb.connect()
    try:
        connection.execute("set global TimeZone = 'Asia/Tokyo'")
        with source.scan(connection) as scan:
            frame = connection.sql(scan.select).pl()
            notes = {note.subject: note.text for note in scan.notes}
        assert connection.sql("select count(*) from duckdb_tables()").fetchall() == [(0,)]
    finally:
        connection.close()
    assert list(frame.schema) == list(BATCH)
    assert frame.schema == BATCH
    return frame, notes


def read(source: FileSource) -> pl.DataFrame:
    return opened(source)[0]


def triples(frame: pl.DataFrame) -> list[tuple[object, ...]]:
    good = frame.filter(pl.col("reason").is_null())
    return good.select("case_id", "activity", "timestamp").rows()


def rejected(frame: pl.DataFrame) -> list[tuple[str, str]]:
    return frame.filter(pl.col("reason").is_not_null()).select("reason", "record").rows()


def refusal(source: FileSource) -> str:
    """What a source says that does not open."""
    with pytest.raises(InputError) as caught:
        read(source)
    return str(caught.value)


def file(folder: Path, content: str | bytes, name: str = "log.csv") -> str:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)
