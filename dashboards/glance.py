"""All processes of a store at a glance."""

from __future__ import annotations

import polars as pl

from dashboards.results import Published, Selection, of_store, result_of
from miner import bottlenecks, processes, summary
from miner.eventlog.quality import loads
from miner.eventlog.schema import DURATION, INSTANT

GLANCE = pl.Schema(
    {
        "process": pl.String(),
        "cases": pl.Int64(),
        "events": pl.Int64(),
        "variants": pl.Int64(),
        "median_cycle_time": DURATION,
        "p95_cycle_time": DURATION,
        "failure_rate": pl.Float64(),
        "closed_cases": pl.Int64(),
        "open_cases": pl.Int64(),
        "worst_bottleneck": pl.String(),
        "total_waiting": DURATION,
        "measured": pl.String(),
        "rejected_share": pl.Float64(),
        "rejected": pl.Int64(),
        "first_event": INSTANT,
        "last_event": INSTANT,
    }
)
MOST = 60
"""Processes whose figures are computed; a page with more is a list nobody reads."""


def glance(state: Published) -> pl.DataFrame:
    """The figures of each process over all its cases; `GLANCE`, most cases first, at most `MOST`.

    `worst_bottleneck` is the activity with the most waiting in all, or the most time up to its
    completion where the log records no starts; `measured` says which.
    """
    known = of_store(processes, state).sort(["cases", "process"], descending=[True, False])
    read = (
        of_store(loads, state)
        .group_by("process")
        .agg(pl.col("read").sum(), pl.col("rejected").sum())
    )
    counts = {name: (rows, bad) for name, rows, bad in read.iter_rows()}
    rows = [_row(state, name, *counts.get(name, (0, 0))) for name in known["process"].head(MOST)]
    return pl.DataFrame(rows, schema=GLANCE)


def _row(state: Published, process: str, read: int, rejected: int) -> dict[str, object]:
    selection = Selection(state, process)
    figures = result_of(summary, selection)
    waits = result_of(bottlenecks, selection).filter(pl.col("previous_activity").is_null())
    worst = waits.row(0, named=True) if waits.height else {}
    return {
        "process": process,
        **{name: getattr(figures, name) for name in GLANCE if hasattr(figures, name)},
        "worst_bottleneck": worst.get("activity"),
        "total_waiting": worst.get("total_waiting") or worst.get("total_sojourn"),
        "measured": worst.get("measured"),
        "rejected_share": rejected / read if read else None,
        "rejected": rejected,
    }
