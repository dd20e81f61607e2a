"""Frames of events, as sources and tests make them, with every column that loading expects."""

from __future__ import annotations

from typing import Any

import polars as pl

from miner.eventlog.schema import BATCH


def with_all_columns(events: pl.DataFrame) -> pl.DataFrame:
    """`events` with every column of `BATCH`, the missing ones null, times naive and UTC."""
    return events.select(
        [
            _as_column(events, name, kind)
            if name in events.columns
            else pl.lit(None, kind).alias(name)
            for name, kind in BATCH.items()
        ]
    )


def given_columns(events: pl.DataFrame) -> list[str]:
    """The columns of `events` that hold something."""
    return [name for name in events.columns if events[name].null_count() < events.height]


def _as_column(events: pl.DataFrame, name: str, kind: Any) -> pl.Expr:
    found = events.schema[name]
    if isinstance(found, pl.Datetime) and found.time_zone:
        return pl.col(name).dt.convert_time_zone("UTC").dt.replace_time_zone(None).cast(kind)
    return pl.col(name).cast(kind)
