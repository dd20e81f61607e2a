"""Process maps for tests: of real logs, of drawn-up arcs, and made at random."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import duckdb
import polars as pl

from miner.discovery.process_map import ProcessMap, process_map

Arc = tuple[str | None, str | None, int]

COLUMNS = {
    "receipt.csv.gz": ("case:concept:name", "concept:name", "time:timestamp"),
    "helpdesk_finale.csv.gz": ("Case ID", "Activity", "Complete Timestamp"),
    "servicenow_incidents.csv.gz": ("number", "assignment_group", "sys_updated_at"),
}
DIRECTLY_FOLLOWS_SQL = """
with event as (
    select case_id, activity, timestamp, row_number() over () as position from log
),
neighbour as (
    select
        case_id,
        activity,
        lead(activity) over ordered as next_activity,
        lag(activity) over ordered as previous_activity
    from event
    window ordered as (partition by case_id order by timestamp, position)
),
arc as (
    select case_id, activity, next_activity from neighbour
    union all
    select case_id, null, activity from neighbour where previous_activity is null
)
select activity, next_activity, count(*) as frequency, count(distinct case_id) as cases
from arc
group by activity, next_activity
"""


def map_of_log(path: Path) -> ProcessMap:
    """The map of a CSV log, in the order of its timestamps as text."""
    case_id, activity, timestamp = COLUMNS[path.name]
    log = pl.read_csv(path, columns=[case_id, activity, timestamp], infer_schema=False)
    log = log.rename({case_id: "case_id", activity: "activity", timestamp: "timestamp"})
    with duckdb.connect() as connection:
        connection.register("log", log)
        arcs = connection.sql(DIRECTLY_FOLLOWS_SQL).pl()
    return map_of([(a, b, n) for a, b, n, _ in arcs.rows()])


def map_of(
    arcs: Sequence[Arc],
    *,
    failed: Mapping[str, int] | None = None,
    times: Mapping[str, timedelta] | None = None,
) -> ProcessMap:
    """The map of these arcs, with failures and service times where given."""
    names = sorted({end for source, target, _ in arcs for end in (source, target) if end})
    frequency = {name: sum(n for _, target, n in arcs if target == name) for name in names}
    activities = pl.DataFrame(
        {
            "activity": names,
            "frequency": [frequency[name] for name in names],
            "cases": [frequency[name] for name in names],
            "failed": [(failed or {}).get(name) for name in names],
            "median_service": [(times or {}).get(name) for name in names],
            "median_waiting": [None] * len(names),
        },
        schema_overrides={
            "activity": pl.String(),
            "failed": pl.Int64(),
            "median_service": pl.Duration("us"),
            "median_waiting": pl.Duration("us"),
        },
    )
    between = [None if None in (a, b) else timedelta(minutes=7 * n) for a, b, n in arcs]
    directly_follows = pl.DataFrame(
        {
            "activity": [a for a, _, _ in arcs],
            "next_activity": [b for _, b, _ in arcs],
            "frequency": [n for _, _, n in arcs],
            "cases": [n for _, _, n in arcs],
            "median": between,
            "p95": between,
        },
        schema_overrides={
            "activity": pl.String(),
            "next_activity": pl.String(),
            "frequency": pl.Int64(),
            "cases": pl.Int64(),
            "median": pl.Duration("us"),
            "p95": pl.Duration("us"),
        },
    )
    return process_map(directly_follows, activities)


def random_map(seed: int, activities: int, cases: int = 400) -> ProcessMap:
    """The map of random walks that mostly go forward."""
    chance = random.Random(seed)
    counts: dict[tuple[str | None, str | None], int] = {}
    for _ in range(cases):
        at, last = 0, None
        while at < activities and chance.random() < 0.97:
            name = f"Activity {at:02}"
            counts[last, name] = counts.get((last, name), 0) + 1
            last = name
            at = max(0, at + chance.choice((-1, 0, 1, 1, 1, 1, 2, 2, 5)))
        if last is not None:
            counts[last, None] = counts.get((last, None), 0) + 1
    return map_of([(a, b, n) for (a, b), n in sorted(counts.items(), key=str)])
