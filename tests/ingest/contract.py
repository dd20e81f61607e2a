"""What every source of a system promises; called with the real system running."""

from __future__ import annotations

import json

import polars as pl

from ingest.source import Known, Source, SystemSource
from miner.eventlog.frames import with_all_columns
from miner.eventlog.schema import BATCH, CASE_STATUS


def keeps_the_contract(source: Source) -> pl.DataFrame:
    """Read everything twice and hold it against the contract; returns the events read."""
    first, second = _read(source), _read(source)
    events = first.filter(pl.col("reason").is_null())
    assert events.height > 0
    _columns_make_sense(events)
    _ids_stand_for_one_event(events)
    again = second.filter(pl.col("reason").is_null())
    known = events.join(again, on=["case_id", "activity", "timestamp", "lifecycle"], how="anti")
    assert known.is_empty(), "reading again gave other events"
    _cursors_are_json(source)
    if isinstance(source, SystemSource):
        _decoding_is_pure(source)
    return events


def _read(source: Source) -> pl.DataFrame:
    frames = []
    for page in source.pages(Known()):
        assert set(page.events.columns) <= set(BATCH), set(page.events.columns) - set(BATCH)
        frames.append(with_all_columns(page.events))
    return pl.concat(frames) if frames else pl.DataFrame(schema=BATCH)


def _columns_make_sense(events: pl.DataFrame) -> None:
    assert events.select(pl.col("case_id", "activity", "timestamp").null_count()).row(0) == (0,) * 3
    assert events.select((pl.col("case_id", "activity") == "").sum()).row(0) == (0, 0)
    statuses = set(events["case_status"].drop_nulls())
    assert statuses <= set(CASE_STATUS), statuses
    kinds = set(events["resource_kind"].drop_nulls())
    assert kinds <= {"human", "system"}, kinds
    for name in ("attributes", "case_attributes"):
        for text in events[name].drop_nulls().unique().head(200):
            assert isinstance(json.loads(text), dict)


def _ids_stand_for_one_event(events: pl.DataFrame) -> None:
    ids = events.filter(pl.col("event_id").is_not_null())
    about = ("event_id", "case_id", "activity", "timestamp", "lifecycle")
    assert ids.select(about).unique().height == ids["event_id"].n_unique()


def _cursors_are_json(source: Source) -> None:
    for page in source.pages(Known()):
        if page.cursor is not None:
            assert json.loads(json.dumps(page.cursor)) == page.cursor


def _decoding_is_pure(source: SystemSource) -> None:
    for fetched in source.fetch(Known()):
        assert source.decode(fetched.raw).equals(source.decode(fetched.raw))
