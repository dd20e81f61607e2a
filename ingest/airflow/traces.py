"""Tries that Airflow before 2.10 does not keep, read off the lines that they left in its log."""

from __future__ import annotations

import polars as pl

from ingest.airflow.lines import NEVER_RAN

EVENTS = ("running", "success", "failed", "up_for_retry")
"""Lines of the log that a try writes itself when it begins and when it ends."""
_TASK = ("dag_id", "dag_run_id", "task_id", "map_index")


def earlier_tries(traces: pl.DataFrame, tries: pl.DataFrame) -> pl.DataFrame:
    """The tries before the last one, as rows like those of `tries`, which have the last ones.

    A try is what lies between two beginnings. Where there are more of them than the last try has as
    its number, nothing is told: they cannot be numbered.
    """
    if traces.is_empty():
        return tries.clear()
    index = pl.col("map_index") if "map_index" in traces.columns else pl.lit(None, pl.Int64)
    lines = traces.with_columns(index.cast(pl.Int64).fill_null(-1).alias("map_index")).sort(
        "event_log_id"
    )
    begins = pl.col("event") == "running"
    numbered = lines.with_columns(begins.cast(pl.Int64).cum_sum().over(_TASK).alias("number"))
    found = (
        numbered.filter(pl.col("number") > 0)
        .group_by(*_TASK, "number", maintain_order=True)
        .agg(
            pl.col("when").filter(begins).first().alias("start_date"),
            pl.col("when").filter(~begins).first().alias("end_date"),
            pl.col("event").filter(~begins).first().alias("state"),
        )
    )
    last = tries.select(
        *_TASK[:3],
        pl.col("map_index").fill_null(-1),
        pl.col("try_number").alias("last_number"),
        (pl.col("start_date").is_not_null() & ~pl.col("state").is_in(NEVER_RAN))
        .fill_null(False)
        .alias("has_run"),
        "operator",
    )
    count = pl.col("number").max().over(_TASK)
    return (
        found.with_columns(count.alias("count"))
        .join(last, on=_TASK)
        .filter(
            (pl.col("count") <= pl.col("last_number"))
            & ~(pl.col("has_run") & (pl.col("number") == pl.col("count")))
            & pl.col("end_date").is_not_null()
        )
        .with_columns(
            pl.when("has_run")
            .then(pl.col("last_number") - (pl.col("count") - pl.col("number")))
            .otherwise("number")
            .alias("try_number")
        )
        .select(*_TASK, "try_number", "state", "start_date", "end_date", "operator")
    )
