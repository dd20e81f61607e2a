"""What spans could not tell, counted in the events that were made of them."""

from __future__ import annotations

import duckdb
import polars as pl

from miner.eventlog.definitions import Limitation

_MARKS = (
    Limitation(
        "hidden",
        "Spans name a parent that had not come by then: it has not ended, or its service exports "
        "nothing; its work is missing, and where their case began may not be known.",
        ("cycle_time", "waiting_time", "variants"),
    ),
    Limitation(
        "clock-skew",
        "Spans start before the span that called them: the clocks of their services differ.",
        ("waiting_time", "service_time", "variants"),
    ),
    Limitation(
        "sampling",
        "Spans come from a tracer that keeps a sample only: cases are missing, and counts of them "
        "are too low.",
        ("cases", "throughput_per_day", "failure_rate"),
    ),
)

_COUNTED = """
select
    count(*) filter (where contains(attributes, '"span.parent":"missing"')) as hidden,
    count(*) filter (where contains(attributes, '"span.skew_us":')) as skewed,
    count(*) filter (where contains(attributes, '"span.sampled":true')) as sampled
from {table}
where attributes is not null
"""


def limitations_of(connection: duckdb.DuckDBPyConnection, table: str) -> tuple[Limitation, ...]:
    """What the events in a table show that their spans could not tell, with how many spans."""
    ((hidden, skewed, sampled),) = connection.execute(_COUNTED.format(table=table)).fetchall()
    counted = zip(_MARKS, (hidden, skewed, sampled), strict=True)
    return tuple(
        Limitation(each.kind, each.text, each.measures, number)
        for each, number in counted
        if number
    )


def limitations_in(events: pl.DataFrame) -> tuple[Limitation, ...]:
    """The same for a frame of events."""
    if "attributes" not in events.columns:
        return ()
    connection = duckdb.connect()
    try:
        connection.register("found", events.select("attributes"))
        return limitations_of(connection, "found")
    finally:
        connection.close()
