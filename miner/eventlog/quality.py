"""Log quality: what the events cannot tell, and which measures that touches."""

from __future__ import annotations

import duckdb
import polars as pl

from miner.eventlog import engine
from miner.eventlog.log import EventLog
from miner.eventlog.schema import INSTANT

QUALITY = pl.Schema(
    {
        "finding": pl.String(),
        "count": pl.Int64(),
        "of": pl.Int64(),
        "share": pl.Float64(),
        "touches": pl.String(),
    }
)

LOADS = pl.Schema(
    {
        "load_id": pl.Int64(),
        "source": pl.String(),
        "process": pl.String(),
        "origin": pl.String(),
        "finished": pl.Boolean(),
        "read": pl.Int64(),
        "new": pl.Int64(),
        "duplicate": pl.Int64(),
        "corrected": pl.Int64(),
        "unchanged": pl.Int64(),
        "rejected": pl.Int64(),
        "cases": pl.Int64(),
        "first_event": INSTANT,
        "last_event": INSTANT,
        "notes": pl.String(),
        "started_at": INSTANT,
        "seconds": pl.Float64(),
    }
)

REJECTED_ROWS = pl.Schema(
    {"reason": pl.String(), "record": pl.String(), "load_id": pl.Int64(), "process": pl.String()}
)


def log_quality(log: EventLog) -> pl.DataFrame:
    """What in the log limits what can be said about it.

    Each row is a finding: how many of how many, and which measures it touches. Findings that do not
    occur are there with count zero, so that their absence is seen. `share` is null when there is
    nothing to share.

    Returns `QUALITY`, in a fixed order.
    """
    return log.query(_QUALITY, QUALITY, process=log.process)


def loads(connection: duckdb.DuckDBPyConnection, process: str | None = None) -> pl.DataFrame:
    """What was loaded into the store, or what events of `process` came with, newest first.

    Returns `LOADS`, one row per load; a load that filled several processes belongs to each.
    """
    sql = """
        select
            load_id, source, process, origin, finished, read, "new", duplicate, corrected,
            unchanged, rejected, cases, first_event, last_event, notes, started_at, seconds
        from load
        where $process is null or process = $process or load_id in (
            select e.load_id
            from recorded_event as e
            join process as p using (process_key)
            where p.process = $process
        )
        order by load_id desc
    """
    return _rows(connection, sql, LOADS, process)


def rejected(connection: duckdb.DuckDBPyConnection, process: str | None = None) -> pl.DataFrame:
    """What is in quarantine: the reason and the raw record; `REJECTED_ROWS`, oldest load first."""
    sql = """
        select reason, record, load_id, process
        from rejected
        where $process is null or process = $process
        order by load_id, reason, record
    """
    return _rows(connection, sql, REJECTED_ROWS, process)


def _rows(
    connection: duckdb.DuckDBPyConnection, sql: str, schema: pl.Schema, process: str | None
) -> pl.DataFrame:
    with engine.translated():
        found: pl.DataFrame = connection.sql(sql, params={"process": process}).pl()
    return found.cast(schema)


_QUALITY = """
with instance as (
    select
        count(*) as total,
        count(*) filter (where started_at is null and completed_at is not null) as no_start,
        count(*) filter (where status = 'running') as running,
        count(*) filter (where status = 'scheduled') as never_started,
        count(*) filter (where started_at > completed_at) as negative,
        count(*) filter (where resource_key is null) as no_resource,
        count(*) filter (where next_time is null and next_activity_key is not null) as overlapping
    from activity_instance
),
sole as (
    select
        count(*) as total,
        count(*) filter (where events = 1) as one_event,
        count(*) filter (where status = 'running') as open_cases,
        count(*) filter (where version_key is null) as no_version
    from "case"
),
odd as (
    select
        coalesce(sum(tied_events), 0) as tied,
        coalesce(sum(late_events), 0) as late,
        coalesce(sum(events), 0) as total
    from "case"
),
future as (
    select
        count(*) filter (where timestamp > (now() at time zone 'UTC')::timestamp) as future,
        count(*) filter (where timestamp < timestamp '1980-01-01') as ancient
    from recorded_event
),
loaded as (
    select
        coalesce(sum(read), 0) as read,
        coalesce(sum(duplicate), 0) as duplicate,
        coalesce(sum(corrected), 0) as corrected,
        coalesce(sum(rejected), 0) as rejected
    from load
    where process = $process
),
found as (
    select 1 as rank, 'rows that could not be used' as finding, rejected as count, read as total,
        'everything: they are in quarantine with their reason' as touches
    from loaded
    union all
    select 2, 'events delivered more than once', duplicate, read, 'nothing: they were dropped'
    from loaded
    union all
    select 3, 'events corrected by a later load', corrected, read,
        'nothing: what they replaced is kept'
    from loaded
    union all
    select 4, 'instances without a start', no_start, total,
        'waiting, service and idle time: unknown for these'
    from instance
    union all
    select 5, 'instances still running', running, total, 'cycle time: their cases are open'
    from instance
    union all
    select 6, 'instances scheduled and never started', never_started, total,
        'cycle time: their cases are open'
    from instance
    union all
    select 7, 'instances that end before they start', negative, total,
        'service time: unknown for these'
    from instance
    union all
    select 8, 'instances that begin before the one before them ended', overlapping, total,
        'times on paths: left out there and counted as overlaps'
    from instance
    union all
    select 9, 'instances without a resource', no_resource, total, 'resources and handovers'
    from instance
    union all
    select 10, 'events with the time of another event of their case', tied, total,
        'variants and paths: their order is that of the source'
    from odd
    union all
    select 11, 'events that stand in the source after later ones', late, total,
        'nothing: events are ordered by their time'
    from odd
    union all
    select 12, 'events in the future', future, t.total, 'cycle time, throughput'
    from future
    cross join odd as t
    union all
    select 13, 'events before 1980', ancient, t.total, 'cycle time, throughput'
    from future
    cross join odd as t
    union all
    select 14, 'cases with one event', one_event, total, 'cycle time: zero for these'
    from sole
    union all
    select 15, 'open cases', open_cases, total, 'left out of all figures on closed cases'
    from sole
    union all
    select 16, 'cases without a version', no_version, total, 'comparing versions'
    from sole
)
select finding, count, total as of, count / nullif(total, 0) as share, touches
from found
order by rank
"""
