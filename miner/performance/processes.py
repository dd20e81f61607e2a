"""The processes of a store."""

from __future__ import annotations

import duckdb
import polars as pl

from miner.eventlog import engine
from miner.eventlog.schema import INSTANT

PROCESSES = pl.Schema(
    {
        "process": pl.String(),
        "cases": pl.Int64(),
        "events": pl.Int64(),
        "activities": pl.Int64(),
        "variants": pl.Int64(),
        "first_event": INSTANT,
        "last_event": INSTANT,
    }
)


def processes(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The processes that have cases, by name; `PROCESSES`. An empty store gives no rows."""
    with engine.translated():
        found: pl.DataFrame = connection.sql(_PROCESSES).pl()
    return found.cast(PROCESSES)


_PROCESSES = """
with done as (
    select process_key, count(distinct activity_key) as activities
    from activity_instance
    group by process_key
)
select
    p.process,
    count(*) as cases,
    sum(c.events)::bigint as events,
    coalesce(any_value(d.activities), 0) as activities,
    count(distinct c.variant_key) as variants,
    min(c.started_at) as first_event,
    max(c.completed_at) as last_event
from "case" as c
join process as p using (process_key)
left join done as d using (process_key)
group by p.process
order by p.process
"""
