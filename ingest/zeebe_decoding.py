"""Exported records of Zeebe to events: of a few bytes at once, or of a long file in pieces."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing

import duckdb
import polars as pl

from ingest import zeebe_events, zeebe_lines, zeebe_models
from ingest.zeebe_models import Model

BATCH_ROWS = 100_000


def decode(raw: bytes) -> pl.DataFrame:
    """The events in lines of JSON as exporters write them, with columns of `BATCH`.

    What depends on several records (the number of an attempt, the name of an element, who is whose
    parent, whether a run has ended) is known as far as these bytes tell, and null beyond. Lines
    that are no records have a `reason`. Every event has the same `event_id` in whatever bytes it
    comes.
    """
    lines = zeebe_lines.lines(raw)
    frames = list(decoded([lines], zeebe_models.models_in(lines)))
    return pl.concat(frames, how="diagonal_relaxed")


def decoded(pieces: Iterable[pl.DataFrame], models: Iterable[Model]) -> Iterator[pl.DataFrame]:
    """The events in pieces of the column `line`, and what was rejected; bounded memory."""
    with (
        tempfile.TemporaryDirectory(prefix="procession-") as folder,
        closing(duckdb.connect(config={"temp_directory": folder})) as connection,
    ):
        for piece in pieces:
            steps, rejected = zeebe_lines.records(piece)
            zeebe_events.add(connection, steps)
            if rejected.height:
                yield rejected
        select = zeebe_events.events(connection, zeebe_models.names(models))
        for batch in connection.sql(select).to_arrow_reader(BATCH_ROWS):
            frame = pl.from_arrow(batch)
            assert isinstance(frame, pl.DataFrame)
            yield frame
