"""What each history event of Step Functions does to the state it belongs to, and in which attempt.

A state is entered once and tried as often as work is scheduled (or branches are started) under the
same entering. A redrive tries again what had not succeeded, under the old entering.
"""

from __future__ import annotations

import polars as pl

from ingest.step_functions.scopes import climb

ENDS = ("complete", "fail", "timeout", "cancel")


def attempted(rows: pl.DataFrame) -> pl.DataFrame:
    """Give each event of a state its part; `rows` come from `scoped`.

    Adds `activity` and `kind` (of the state), `attempt` (from 1), `again` (the event begins an
    attempt after the first), `redriven` (and that by a redrive; the row of it), `late` (an
    evaluation that failed after its work had ended), and `error`, `cause` where another event of a
    failure has them. What repeats the end of an attempt has no `lifecycle` any more.
    """
    rows = _with_errors(rows)
    rows = rows.with_columns(
        pl.col("name").gather(pl.col("entry")).alias("activity"),
        pl.col("state_kind").gather(pl.col("entry")).alias("kind"),
        # What follows the entering directly opens the attempt that the entering began.
        (pl.col("opens") & (pl.col("before") != pl.col("entry"))).fill_null(False).alias("again"),
        pl.lit(None, pl.Int64).alias("redriven"),
        pl.lit(1, pl.Int32).alias("attempt"),
    )
    if rows.select((pl.col("type") == "ExecutionRedriven").any()).item():
        rows = _with_redrives(rows)
    if rows["again"].any():
        number = 1 + pl.col("again").cast(pl.Int32).cum_sum().over("entry")
        rows = rows.with_columns(number.alias("attempt"))
    return _first_ends(rows)


def _with_redrives(rows: pl.DataFrame) -> pl.DataFrame:
    """A redrive goes on under the old entering of a state, or has it entered anew right below."""
    redrive = pl.when(pl.col("type") == "ExecutionRedriven").then("row").forward_fill()
    rows = rows.with_columns(redrive.over("execution").alias("redrive"))
    state = pl.col("entry").is_not_null()
    passed = pl.col("redrive").ne_missing(pl.col("redrive").shift(1).over("entry"))
    renewed = state & ~pl.col("enters") & passed
    below = pl.col("enters") & (pl.col("before") == pl.col("redrive")).fill_null(False)
    return rows.with_columns(
        (pl.col("again") | renewed).alias("again"),
        pl.when(renewed | below).then("redrive").alias("redriven"),
    )


def _first_ends(rows: pl.DataFrame) -> pl.DataFrame:
    """Keep the first end of each attempt; a state's exit only repeats the end of its work."""
    ends = pl.col("lifecycle").is_in(ENDS)
    earlier = ends.cast(pl.Int32).cum_sum().over("entry", "attempt") - ends.cast(pl.Int32)
    repeated = ends & (earlier > 0)
    evaluation = pl.col("type") == "EvaluationFailed"
    # The entering of a state opens its first attempt, so what schedules that tells nothing new.
    opened = pl.col("opens") & ~pl.col("again") & ~ends
    return rows.with_columns(
        pl.when((repeated & ~evaluation) | opened).then(None).otherwise("lifecycle")
        .alias("lifecycle"),
        (repeated & evaluation).alias("late"),
    )  # fmt: skip


def _with_errors(rows: pl.DataFrame) -> pl.DataFrame:
    """Errors of failures whose own event does not name one: of what failed inside, or outside."""
    silent = pl.col("silent") & pl.col("error").is_null()
    if not rows.select(silent.any()).item():
        return rows
    rows = rows.with_columns(
        pl.when(silent & ~pl.col("enters"))
        .then(pl.col(column).gather(pl.col("before")))
        .otherwise(column)
        .alias(column)
        for column in ("error", "cause")
    )
    for _ in range(3):  # fails, its branch fails, its iteration fails, the execution fails
        told = (
            rows.filter(pl.col("error").is_not_null() & (pl.col("before") < pl.col("row")))
            .filter(pl.col("type").cast(pl.String).str.ends_with("Failed"))
            .group_by("before")
            .agg(pl.col("error").first().alias("told"), pl.col("cause").first().alias("told_cause"))
        )
        rows = rows.join(
            told, left_on="row", right_on="before", how="left", maintain_order="left"
        ).with_columns(
            pl.when(silent).then("told").otherwise("error").alias("error"),
            pl.when(silent).then("told_cause").otherwise("cause").alias("cause"),
        ).drop("told", "told_cause")  # fmt: skip
    return rows


def with_iterations(rows: pl.DataFrame) -> pl.DataFrame:
    """Add `iteration`: the index of the iteration of the Map state directly around an event."""
    is_start = (rows["type"] == "MapIterationStarted").to_numpy()
    if not is_start.any():
        return rows.with_columns(pl.lit(None, pl.Int64).alias("iteration"))
    nearest = pl.Series("nearest", climb(rows["before"].to_numpy(), is_start)).replace(-1, None)
    rows = rows.with_columns(nearest)
    around = pl.col("within").gather(pl.col("entry"))
    same = pl.col("name").gather(pl.col("nearest")) == pl.col("name").gather(around)
    index = pl.when(same & (pl.col("nearest") > around)).then(
        pl.col("index").gather(pl.col("nearest"))
    )
    return rows.with_columns(index.alias("iteration")).drop("nearest")
