"""What each history event of Step Functions does to the state it belongs to, and in which attempt.

A state is entered once and tried as often as work is scheduled (or branches are started) under the
same entering. A redrive tries again what had not succeeded, under the old entering.
"""

from __future__ import annotations

import polars as pl

from ingest.step_functions_scopes import climb

WORK = r"^(?:Task|Activity|LambdaFunction)"
SCHEDULED = WORK + r"(?:Scheduled|ScheduleFailed)$"
STARTED = WORK + r"Started$"
SUCCEEDED = WORK + r"Succeeded$"
FAILED = WORK + r"(?:Failed|ScheduleFailed|StartFailed|SubmitFailed)$"
BRANCHED = r"^(?:Parallel|Map)StateStarted$"
TOLD_BY_OTHERS = r"^(?:TaskSubmitted|(?:Parallel|Map)StateSucceeded|MapRun[A-Z][a-z]+)$"
FAILED_WITHIN = r"^(?:EvaluationFailed|(?:Parallel|Map)StateFailed)$"
ABORTED = r"^[A-Z][A-Za-z]*StateAborted$"
OF_EXECUTION = (
    r"^(?:Execution(?:Started|Succeeded|Failed|Aborted|TimedOut|Redriven)"
    r"|MapIteration(?:Started|Succeeded|Failed|Aborted))$"
)
ENDS = ("complete", "fail", "timeout", "cancel")


def attempted(rows: pl.DataFrame) -> pl.DataFrame:
    """Give each event of a state its part; `rows` come from `scoped`.

    Adds `activity` and `kind` (of the state), `attempt` (from 1), `again` (the event begins an
    attempt after the first), `redriven` (and that by a redrive; the row of it), `lifecycle` (null:
    another event tells it; `unknown`: nobody knows this type), `late` (an evaluation that failed
    after its work had ended), and `error`, `cause` where they stand on another event of a failure.
    """
    rows = _with_errors(rows)
    kind = pl.col("type").cast(pl.String)
    redrive = kind == "ExecutionRedriven"
    state = pl.col("entry").is_not_null()
    rows = rows.with_columns(
        pl.col("name").gather(pl.col("entry")).alias("activity"),
        pl.col("state_kind").gather(pl.col("entry")).alias("kind"),
        pl.when(redrive).then("row").forward_fill().over("execution").alias("redrive"),
        _lifecycle(kind).alias("lifecycle"),
        kind.str.contains(SCHEDULED).or_(kind.str.contains(BRANCHED)).alias("opens"),
    )
    place = pl.int_range(pl.len()).over("entry")
    renewed = pl.col("redrive").ne_missing(pl.col("redrive").shift(1).over("entry")) & (place > 0)
    # A state that is entered anew right below a redrive is what was redriven, too.
    below = pl.col("enters") & (pl.col("before") == pl.col("redrive")).fill_null(False)
    rows = rows.with_columns(
        (state & ((pl.col("opens") & (place > 1)) | renewed)).alias("again"),
        pl.when(state & (renewed | below)).then("redrive").alias("redriven"),
    )
    attempt = 1 + pl.col("again").cast(pl.Int32).cum_sum().over("entry")
    return _first_ends(rows.with_columns(attempt.alias("attempt")))


def _lifecycle(kind: pl.Expr) -> pl.Expr:
    """What the type of an event means for its state; later ends are dropped afterwards."""
    is_task = pl.col("state_kind") == "Task"
    return (
        pl.when(pl.col("enters") & is_task)
        .then(pl.lit("scheduled"))
        .when(pl.col("enters") | kind.str.contains(STARTED) | kind.str.contains(BRANCHED))
        .then(pl.lit("start"))
        .when(kind.str.contains(FAILED) | kind.str.contains(FAILED_WITHIN))
        .then(pl.lit("fail"))
        .when(kind.str.contains(SCHEDULED))
        .then(pl.lit("scheduled"))
        .when(kind.str.contains(WORK + r"TimedOut$"))
        .then(pl.lit("timeout"))
        .when(kind.str.contains(SUCCEEDED) | pl.col("exits"))
        .then(pl.lit("complete"))
        .when(kind.str.contains(ABORTED))
        .then(pl.lit("cancel"))
        .when(~kind.str.contains(TOLD_BY_OTHERS) & ~kind.str.contains(OF_EXECUTION))
        .then(pl.lit("unknown"))
    )


def _first_ends(rows: pl.DataFrame) -> pl.DataFrame:
    """Keep the first end of each attempt; a state's exit only repeats the end of its work."""
    ends = pl.col("lifecycle").is_in(ENDS)
    earlier = ends.cast(pl.Int32).cum_sum().over("entry", "attempt") - ends.cast(pl.Int32)
    repeated = ends & (earlier > 0)
    evaluation = pl.col("type").cast(pl.String) == "EvaluationFailed"
    # The entering of a state opens its first attempt, so what schedules that tells nothing new.
    opened = pl.col("opens") & ~pl.col("again") & ~ends
    return rows.with_columns(
        pl.when((repeated & ~evaluation) | opened).then(None).otherwise("lifecycle")
        .alias("lifecycle"),
        (repeated & evaluation).alias("late"),
    )  # fmt: skip


def _with_errors(rows: pl.DataFrame) -> pl.DataFrame:
    """Errors of failures whose own event does not name one: of what failed inside, or outside."""
    kind = pl.col("type").cast(pl.String)
    silent = (
        kind.str.contains(r"^(?:FailStateEntered|(?:Parallel|Map)StateFailed|MapIterationFailed)$")
        & pl.col("error").is_null()
    )
    if not rows.select(silent.any()).item():
        return rows
    rows = rows.with_columns(
        pl.when(silent & (kind != "FailStateEntered"))
        .then(pl.col(column).gather(pl.col("before")))
        .otherwise(column)
        .alias(column)
        for column in ("error", "cause")
    )
    for _ in range(3):  # fails, its branch fails, its iteration fails, the execution fails
        told = (
            rows.filter(pl.col("error").is_not_null() & kind.str.ends_with("Failed"))
            .filter(pl.col("before") < pl.col("row"))
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
    starts = (pl.col("type").cast(pl.String) == "MapIterationStarted").alias("starts")
    is_start = rows.select(starts)["starts"].to_numpy()
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
