"""Ends that the history of Step Functions does not tell: what ended because something around did.

When a branch fails, its sister branches just stop; when an execution ends, so does all that runs.
"""

from __future__ import annotations

import polars as pl

from ingest.step_functions.attempts import ENDS
from ingest.step_functions.scopes import CONTAINERS

ENDED = r"^Execution(?:Succeeded|Failed|Aborted|TimedOut)$"
DEPTH = 4
"""How deep containers that end one another are followed."""


def closed(rows: pl.DataFrame) -> pl.DataFrame:
    """One event for each attempt without an end of its own that something ended.

    A Parallel or Map state that starts its branches again failed before; an execution or container
    that failed by an event of the state itself failed with it; all else was cancelled with what is
    around it, or timed out with the execution.
    """
    kind = pl.col("type").cast(pl.String)
    again = rows.filter(pl.col("again") & kind.str.ends_with("StateStarted"))
    by_retry = again.select(
        "entry", (pl.col("attempt") - 1).alias("attempt"), pl.col("row").alias("closing")
    )
    attempts = _without_end(rows)
    retried = attempts.join(by_retry, on=["entry", "attempt"])
    open_ones = attempts.join(by_retry, on=["entry", "attempt"], how="anti")
    if retried.is_empty() and open_ones.is_empty():
        return rows.clear().select(pl.col("execution"), pl.col("activity"))
    stopped = _stopped(open_ones, rows)
    return pl.concat([_events(retried, rows, retried=True), _events(stopped, rows, retried=False)])


def _without_end(rows: pl.DataFrame) -> pl.DataFrame:
    ended = pl.col("lifecycle").is_in(ENDS) & ~pl.col("late")
    fails = pl.col("enters") & (pl.col("kind") == "Fail")
    return (
        rows.filter(pl.col("entry").is_not_null())
        .group_by("entry", "attempt")
        .agg(
            (ended | fails).any().alias("ended"),
            pl.col("row").max().alias("last"),
            pl.col("execution", "activity", "kind", "waits", "attributes").first(),
            pl.col("resource").drop_nulls().last(),
        )
        .filter(~pl.col("ended"))
    )


def _stopped(attempts: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """The attempts that something around them ended, with the row of that as `closing`."""
    kind = pl.col("type").cast(pl.String)
    around = rows.select(pl.col("row").alias("entry"), "within")
    attempts = attempts.join(around, on="entry").sort("last")
    executions = rows.filter(kind.str.contains(ENDED)).select(
        "execution", pl.col("row").alias("by_execution")
    )
    attempts = attempts.join_asof(
        executions, left_on="last", right_on="by_execution", by="execution", strategy="forward",
        check_sortedness=False, coalesce=False,
    )  # fmt: skip
    container = pl.col("kind").is_in(CONTAINERS)
    branches_again = pl.col("again") & kind.str.ends_with("StateStarted")
    ends = rows.filter(
        container & (pl.col("lifecycle").is_in(ENDS) | branches_again)
    ).select(pl.col("entry").alias("within"), pl.col("row").alias("by_container"))  # fmt: skip
    for _ in range(DEPTH):
        found = attempts.join_asof(
            ends.sort("by_container"), left_on="last", right_on="by_container", by="within",
            strategy="forward", check_sortedness=False, coalesce=False,
        )  # fmt: skip
        closing = pl.min_horizontal("by_container", "by_execution").alias("closing")
        found = found.with_columns(closing)
        inner = found.filter(container & pl.col("closing").is_not_null()).select(
            pl.col("entry").alias("within"), pl.col("closing").alias("by_container")
        )
        ends = pl.concat([ends, inner]).unique()
    return found.filter(pl.col("closing").is_not_null())


def _events(attempts: pl.DataFrame, rows: pl.DataFrame, *, retried: bool) -> pl.DataFrame:
    closing = attempts["closing"]
    cause = rows["before"].gather(closing)
    kinds = rows["type"].cast(pl.String).gather(closing)
    at = rows["at"].gather(cause if retried else closing)
    attempts = attempts.with_columns(
        kinds.alias("by"),
        at.alias("at"),
        rows["id"].gather(cause if retried else closing).alias("closing_id"),
        rows["id"].gather(attempts["entry"]).alias("entry_id"),
        rows["entry"].gather(cause).alias("culprit"),
        rows["error"].gather(cause if retried else closing).alias("error"),
        rows["cause"].gather(cause if retried else closing).alias("cause"),
    )
    failing = pl.lit(retried) | (
        pl.col("by").str.ends_with("Failed")
        & (pl.col("kind").is_in(CONTAINERS) | (pl.col("entry") == pl.col("culprit")))
    )
    lifecycle = (
        pl.when(pl.col("by") == "ExecutionTimedOut").then(pl.lit("timeout"))
        .when(failing.fill_null(False)).then(pl.lit("fail"))
        .otherwise(pl.lit("cancel"))
    )  # fmt: skip
    told = lifecycle == "fail"
    instance = pl.concat_str("entry_id", pl.lit("/"), "attempt")
    return attempts.select(
        "execution", "activity", "kind", "attempt", "waits", "resource", "attributes",
        instance.alias("instance_id"),
        lifecycle.alias("lifecycle"),
        "at",
        (2 * pl.col("closing_id")).alias("position"),
        pl.concat_str("closing_id", lifecycle, instance, separator="/").alias("identity"),
        pl.when(told).then("error").alias("error"),
        pl.when(told).then("cause").alias("cause"),
    )  # fmt: skip
