"""What the types of history events mean in Step Functions, known ones and those of their shape."""

from __future__ import annotations

import polars as pl

ENTERED = r"^([A-Z][A-Za-z]*)StateEntered$"
EXITED = r"^([A-Z][A-Za-z]*)StateExited$"
ABORTED = r"^[A-Z][A-Za-z]*StateAborted$"
WORK = r"^(?:Task|Activity|LambdaFunction)"
SCHEDULED = WORK + r"(?:Scheduled|ScheduleFailed)$"
STARTED = WORK + r"Started$"
SUCCEEDED = WORK + r"Succeeded$"
TIMED_OUT = WORK + r"TimedOut$"
FAILED = WORK + r"(?:Failed|ScheduleFailed|StartFailed|SubmitFailed)$"
FAILED_WITHIN = r"^(?:EvaluationFailed|(?:Parallel|Map)StateFailed)$"
BRANCHED = r"^(?:Parallel|Map)StateStarted$"
OF_CONTAINER = r"^(Parallel|Map)(?:State(?:Started|Succeeded|Failed|Aborted)|Run[A-Z][a-z]+)$"
OF_EXECUTION = (
    r"^(?:Execution(?:Started|Succeeded|Failed|Aborted|TimedOut|Redriven)"
    r"|MapIteration(?:Started|Succeeded|Failed|Aborted))$"
)
TOLD_BY_OTHERS = r"^(?:TaskSubmitted|(?:Parallel|Map)StateSucceeded|MapRun[A-Z][a-z]+)$"
SILENT = r"^(?:FailStateEntered|(?:Parallel|Map)StateFailed|MapIterationFailed)$"


def described(types: pl.Series) -> pl.DataFrame:
    """One row per distinct type of event.

    Columns: `type`; `state_kind` (Task, Wait, …) of those that enter (`enters`) or exit (`exits`) a
    state; `of` (Parallel or Map) of those about a container; `of_execution`; `opens` an attempt;
    `silent` about why it failed; `lifecycle` (null: other events tell it; `unknown`: a type that
    nobody knows).
    """
    distinct = types.unique().to_frame("type")
    name = pl.col("type").cast(pl.String)
    return distinct.with_columns(
        pl.coalesce(name.str.extract(ENTERED), name.str.extract(EXITED)).alias("state_kind"),
        name.str.contains(ENTERED).alias("enters"),
        name.str.contains(EXITED).alias("exits"),
        name.str.extract(OF_CONTAINER).alias("of"),
        name.str.contains(OF_EXECUTION).alias("of_execution"),
        (name.str.contains(SCHEDULED) | name.str.contains(BRANCHED)).alias("opens"),
        name.str.contains(SILENT).alias("silent"),
        _lifecycle(name).alias("lifecycle"),
    )


def _lifecycle(name: pl.Expr) -> pl.Expr:
    meanings = (
        (r"^TaskStateEntered$", "scheduled"),
        (ENTERED, "start"),
        (STARTED, "start"),
        (BRANCHED, "start"),
        (FAILED, "fail"),
        (FAILED_WITHIN, "fail"),
        (SCHEDULED, "scheduled"),
        (TIMED_OUT, "timeout"),
        (SUCCEEDED, "complete"),
        (EXITED, "complete"),
        (ABORTED, "cancel"),
        (TOLD_BY_OTHERS, None),
        (OF_EXECUTION, None),
    )
    found = pl.lit("unknown")
    for pattern, meaning in reversed(meanings):
        found = (
            pl.when(name.str.contains(pattern)).then(pl.lit(meaning, pl.String)).otherwise(found)
        )
    return found
