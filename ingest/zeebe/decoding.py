"""Exported records of Zeebe to events: of a few bytes at once, or of a long file in pieces."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing

import duckdb
import polars as pl

from ingest.zeebe import events as zeebe_events
from ingest.zeebe import lines as zeebe_lines
from ingest.zeebe import models as zeebe_models
from ingest.zeebe.models import Model
from miner.eventlog.frames import with_all_columns
from miner.eventlog.schema import BATCH

BATCH_ROWS = 100_000


def decode(raw: bytes, models: Sequence[Model] = ()) -> pl.DataFrame:
    """The events in lines of JSON as exporters write them, with columns of `BATCH`.

    Made for streams: every event has the same `event_id` in whatever bytes it comes. What depends
    on several records (the number of an attempt, who is whose parent, whether a run has ended) is
    known as far as these bytes tell, and null beyond. Elements have the names that `models` give
    them, else their ids: names that came and went with the bytes would tear activities apart.
    Lines that are no records have a `reason`.
    """
    frames = [with_all_columns(frame) for frame in decoded([zeebe_lines.lines(raw)], models)]
    return pl.concat(frames) if frames else pl.DataFrame(schema=BATCH)


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
