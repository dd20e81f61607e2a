"""Runs, tries and what people did in Airflow as events."""

from __future__ import annotations

import polars as pl

from ingest.airflow.actions import ordered
from ingest.airflow.lines import NEVER_RAN, Lines, read_lines
from miner.eventlog.schema import BATCH

RUN_STATES = {"success": "completed", "failed": "failed", "running": "running", "queued": "running"}
ENDS = {
    "success": "complete",
    "failed": "fail",
    "up_for_retry": "fail",
    "shutdown": "fail",
    "restarting": "cancel",
    "removed": "cancel",
}
"""States of a try that has run and is over."""
NOT_YET = ("scheduled", "queued", "none")
"""States in which the times of an earlier try may still stand in the row."""
TIMEOUT = "AirflowTaskTimeout"

_TRY = ("dag_id", "dag_run_id", "task_id", "map_index", "try_number")
_KEPT = (
    *("activity", "instance_id", "lifecycle", "timestamp", "attempt", "resource", "resource_kind"),
    *("error_type", "error_message", "process_version", "attributes"),
)


def decode(raw: bytes) -> pl.DataFrame:
    """The events in recorded lines, with columns of `BATCH`; whole runs with all their tries.

    Raises SourceRefusedError when the bytes are no JSON lines.
    """
    lines = read_lines(raw)
    tries = _tries(lines)
    events = pl.concat(
        [_scheduled(tries), _started(tries), _ended(tries), _never_ran(tries),
         ordered(lines.actions, tries)],
        how="diagonal",
    )  # fmt: skip
    events = pl.concat([events, _runs_without_tasks(lines.runs, events)], how="diagonal")
    events = events.join(_cases(lines.runs), on=["dag_id", "dag_run_id"], how="left").select(
        pl.col("dag_id").alias("process"),
        pl.col("dag_run_id").alias("case_id"),
        pl.concat_str("dag_id", "dag_run_id", "identity", separator="/").alias("event_id"),
        pl.col("activity").alias("activity_id"),
        *[column for column in _KEPT if column != "process_version"],
        pl.coalesce("process_version", "run_version").alias("process_version"),
        "case_status",
        "case_attributes",
    )
    events = events.sort("process", "case_id", "timestamp", "event_id")
    return pl.concat([events, lines.rejected], how="diagonal").select(
        [column for column in BATCH if column in (*events.columns, "reason", "record")]
    )


def _tries(lines: Lines) -> pl.DataFrame:
    """One row per try, with who answered it, why it failed, and its activity instance."""
    # A cleared task has the number of its last try until it is tried again.
    waiting = pl.col("state").fill_null("none").is_in(NOT_YET)
    tries = (
        lines.tries.with_columns(pl.col("map_index").fill_null(-1))
        .sort(~waiting, maintain_order=True)
        .unique(_TRY, keep="last", maintain_order=True)
    )
    humans = lines.humans.drop("line").unique(_TRY, keep="last")
    failures = lines.failures.drop("line").unique(_TRY, keep="last")
    tries = tries.join(humans, on=_TRY, how="left").join(failures, on=_TRY, how="left")
    mapped = pl.when(pl.col("map_index") >= 0).then("map_index")
    person = pl.col("created_at").is_not_null()
    work: list[pl.Expr | str] = [
        pl.col("operator").fill_null("").alias("operator"),
        "pool",
        "queue",
        mapped.alias("map_index"),
    ]
    answered = pl.col("responded_at").dt.to_string("iso:strict").alias("responded_at")
    answer: list[pl.Expr | str] = ["subject", answered, "chosen_options"]
    return tries.with_columns(
        pl.col("state").fill_null("none"),
        pl.col("task_id").alias("activity"),
        pl.concat_str("task_id", pl.lit("["), "map_index", pl.lit("]/"), "try_number")
        .alias("instance_id"),
        pl.when(pl.col("try_number") > 0).then("try_number").cast(pl.Int32).alias("attempt"),
        pl.when(person).then("responded_by")
        .otherwise(pl.when(pl.col("hostname") != "").then("hostname")).alias("resource"),
        pl.when(person).then(pl.lit("human")).otherwise(pl.lit("system")).alias("resource_kind"),
        pl.col("version").alias("process_version"),
        _json(*work).alias("attributes"),
        _json(*work, *answer).alias("attributes_at_end"),
    )  # fmt: skip


def _json(*fields: pl.Expr | str) -> pl.Expr:
    """An object of fields without those that are null; the first is none."""
    return pl.struct(*fields).struct.json_encode().str.replace_all(r',"[a-z_]+":null', "")


def _event(tries: pl.DataFrame, lifecycle: str | pl.Expr, timestamp: str) -> pl.DataFrame:
    told = pl.lit(lifecycle) if isinstance(lifecycle, str) else lifecycle
    return tries.with_columns(told.alias("lifecycle"), pl.col(timestamp).alias("timestamp")).select(
        "dag_id",
        "dag_run_id",
        *[column for column in _KEPT if column not in ("error_type", "error_message")],
        pl.concat_str("instance_id", pl.lit("/"), "lifecycle").alias("identity"),
        *[
            pl.when(pl.col("lifecycle").is_in(["fail", "timeout"])).then(column).alias(column)
            for column in ("error_type", "error_message")
        ],
    )


def _ran(tries: pl.DataFrame) -> pl.DataFrame:
    return tries.filter(~pl.col("state").is_in([*NEVER_RAN, *NOT_YET]))


def _scheduled(tries: pl.DataFrame) -> pl.DataFrame:
    """When a try became due; a task that waits in between is scheduled again, which is no begin."""
    due = tries.filter(~pl.col("state").is_in([*NEVER_RAN, "none", "removed"])).with_columns(
        pl.coalesce("scheduled_when", "queued_when").alias("due")
    )
    begun = ~pl.col("state").is_in(NOT_YET)
    known = pl.col("due") <= pl.col("start_date")
    # Who will do it is not known then.
    unknown = [pl.lit(None, pl.String).alias(name) for name in ("resource", "resource_kind")]
    due = due.filter((~begun & pl.col("due").is_not_null()) | known).with_columns(unknown)
    return _event(due, "scheduled", "due")


def _started(tries: pl.DataFrame) -> pl.DataFrame:
    return _event(_ran(tries).filter(pl.col("start_date").is_not_null()), "start", "start_date")


def _ended(tries: pl.DataFrame) -> pl.DataFrame:
    """How tries ended; one that another try followed is over, whatever its row says."""
    newest = pl.col("try_number").max().over("dag_id", "dag_run_id", "task_id", "map_index")
    over = pl.col("state").is_in(list(ENDS)) | (pl.col("try_number") < newest)
    ended = _ran(
        tries.with_columns(over.alias("over"), pl.col("attributes_at_end").alias("attributes"))
    ).filter(pl.col("over") & pl.col("end_date").is_not_null())
    ending = pl.col("state").replace_strict(ENDS, default="cancel", return_dtype=pl.String)
    late = (ending == "fail") & (pl.col("error_type") == TIMEOUT).fill_null(False)
    return _event(ended, pl.when(late).then(pl.lit("timeout")).otherwise(ending), "end_date")


def _never_ran(tries: pl.DataFrame) -> pl.DataFrame:
    """Tasks that were decided not to run; Airflow writes that moment as their start and end."""
    decided = pl.coalesce("end_date", "start_date")
    left_out = tries.filter(pl.col("state").is_in(NEVER_RAN)).with_columns(decided.alias("at"))
    return _event(
        left_out.filter(pl.col("at").is_not_null()).with_columns(
            pl.lit(None, pl.Int32).alias("attempt"),
            pl.lit(None, pl.String).alias("resource"),
            pl.concat_str(
                pl.lit('{"reason":"'), "state", pl.lit('"}')
            ).alias("attributes"),
        ),
        "skip",
        "at",
    )  # fmt: skip


def _runs_without_tasks(runs: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Runs that ended with nothing that could be told of their tasks."""
    seen = events.select("dag_id", "dag_run_id").unique()
    bare = runs.join(seen, on=["dag_id", "dag_run_id"], how="anti").filter(
        pl.col("state").is_in(["success", "failed"])
    )
    ending = pl.col("state").replace_strict(ENDS, default=None, return_dtype=pl.String)
    moments = {"start": ("start_date", pl.lit("start")), "end": ("end_date", ending)}
    return pl.concat(
        [
            bare.filter(pl.col(column).is_not_null()).select(
                "dag_id",
                "dag_run_id",
                pl.lit("Run").alias("activity"),
                pl.lit("run").alias("instance_id"),
                lifecycle.alias("lifecycle"),
                pl.col(column).alias("timestamp"),
                pl.lit(f"run/{name}").alias("identity"),
            )
            for name, (column, lifecycle) in moments.items()
        ]
    )


def _cases(runs: pl.DataFrame) -> pl.DataFrame:
    about = _json(
        pl.col("run_type").fill_null("").alias("run_type"),
        pl.col("triggered_by").str.to_lowercase(),
        "triggering_user_name",
        "logical_date",
        "note",
    )
    return runs.unique(["dag_id", "dag_run_id"], keep="last").select(
        "dag_id",
        "dag_run_id",
        pl.col("version").alias("run_version"),
        pl.col("state").replace_strict(RUN_STATES, default=None).alias("case_status"),
        about.alias("case_attributes"),
    )
