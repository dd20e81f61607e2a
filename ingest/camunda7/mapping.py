"""Camunda 7: what its history means, as events."""

from __future__ import annotations

import duckdb
import polars as pl

from ingest.camunda7.events import EVENTS
from ingest.camunda7.rows import rows
from ingest.camunda7.statements import ATTEMPTS, STEPS
from miner.eventlog.schema import BATCH


def events_of(raw: bytes, *, gateways: bool = False) -> pl.DataFrame:
    """The events in lines of history, with the columns of `BATCH`, ordered by case and time.

    All lines about a case have to be there. Activities are the rows of activity instances but for
    sub-processes, bodies of multi-instance activities and, without `gateways`, gateways. What a
    service task, a claim, a failed job or a person's operation becomes is said in the statements.
    Rows that cannot be used have a `reason`. No lines give no events.

    Raises SourceRefusedError when the lines are no history.
    """
    connection = duckdb.connect(config={"threads": 1})
    try:
        connection.execute("set TimeZone = 'UTC'")
        for kind, frame in rows(raw).items():
            connection.register(kind.replace("-", "_"), frame)
        connection.execute(
            "create temp table option as select $gateways as gateways", {"gateways": gateways}
        )
        connection.execute(STEPS)
        connection.execute(ATTEMPTS)
        found: pl.DataFrame = connection.sql(EVENTS).pl()
    finally:
        connection.close()
    return found.select(pl.col(name).cast(kind) for name, kind in BATCH.items())
