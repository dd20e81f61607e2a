"""XES files as short as a test needs them, and their events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from ingest.sources.xes import XesFile
from miner.eventlog.schema import BATCH

NAME = '<string key="concept:name" value="a"/>'
TIME = '<date key="time:timestamp" value="2020-01-01T10:00:00+02:00"/>'


def log(*traces: str, head: str = "", declaration: str = '<?xml version="1.0"?>') -> str:
    return f"{declaration}<log>{head}{''.join(traces)}</log>"


def trace(*events: str, attributes: str = '<string key="concept:name" value="c"/>') -> str:
    return f"<trace>{attributes}{''.join(events)}</trace>"


def event(*attributes: str) -> str:
    return f"<event>{''.join(attributes or (NAME, TIME))}</event>"


def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The members of a JSON object, none of them twice."""
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


class Reader:
    """Reads a XES file in a folder; `notes` are the first note on each subject then."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "log.xes"
        self.notes: dict[str, str] = {}

    def __call__(self, content: str | bytes, **options: Any) -> pl.DataFrame:
        self.path.write_bytes(content.encode() if isinstance(content, str) else content)
        connection = duckdb.connect()
        try:
            with XesFile(str(self.path), **options).scan(connection) as opened:
                self.notes = {}
                for note in opened.notes:
                    self.notes.setdefault(note.subject, note.text)
                frame: pl.DataFrame = connection.sql(f"{opened.select} order by position").pl()
            assert connection.sql("from duckdb_tables()").fetchall() == []
        finally:
            connection.close()
        assert frame.schema == BATCH
        return frame

    def only(self, content: str | bytes, **options: Any) -> dict[str, Any]:
        frame = self(content, **options)
        assert frame.height == 1
        return frame.row(0, named=True)

    def attributes(self, *attributes: str) -> Any:
        row = self.only(log(trace(event(NAME, TIME, *attributes))))
        return json.loads(row["attributes"], object_pairs_hook=members)
