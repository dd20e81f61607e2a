"""Names to choose from when a condition is made."""

from __future__ import annotations

import polars as pl

from miner import EventLog

CHOICES = pl.Schema({"name": pl.String()})
MOST = 1_000
"""More names than these are no help in a list; others can be typed."""

_COLUMNS = {
    "activity": ("activity", "activity"),
    "resource": ("resource", "resource"),
    "process_version": ("process_version", "process_version"),
    "error_type": ("error", "error_type"),
}


def choices(log: EventLog, *, kind: str) -> pl.DataFrame:
    """The names of that kind in the log, in alphabetical order, at most `MOST`; `CHOICES`.

    `kind` is activity, resource, process_version or error_type.
    """
    table, column = _COLUMNS[kind]
    return log.query(
        f'select distinct "{column}" as name from "{table}" '
        f'where "{column}" is not null order by name limit {MOST:d}',
        CHOICES,
    )
