"""What people did in Airflow: clearing tasks, which has them done again."""

from __future__ import annotations

import polars as pl

from ingest.airflow.lines import NEVER_RAN

CLEARS = {
    "post_clear_task_instances",
    "api.post_clear_task_instances",
    "clear_dag_run",
    "api.clear_dag_run",
    "clear",
    "dagrun_clear",
    "cli_task_clear",
    "cli_tasks_clear",
}
"""What the audit log calls it."""

_RUN = ("dag_id", "dag_run_id")
_TASK = (*_RUN, "task_id")
_TASK_IDS = r'"task_ids"\s*:\s*(\[(?:[^\[\]]|\[[^\]]*\])*\])'


def ordered(actions: pl.DataFrame, tries: pl.DataFrame) -> pl.DataFrame:
    """One order by a person for each task that a clear had done again.

    That are the tasks that it names, and those of the run that had run before it and were tried
    after it. Columns as events have them, with the run as `dag_id` and `dag_run_id`.
    """
    clears = _clears(actions)
    columns = (*_TASK, "event_log_id", "event", "when", "owner")
    both = pl.concat([_named(clears).select(columns), _redone(clears, tries).select(columns)])
    return both.unique(["event_log_id", *_TASK], maintain_order=True).select(
        *_RUN,
        pl.col("task_id").alias("activity"),
        pl.lit("retry").alias("lifecycle"),
        pl.col("when").alias("timestamp"),
        pl.col("owner").alias("resource"),
        pl.lit("human").alias("resource_kind"),
        pl.concat_str(pl.lit("log/"), "event_log_id", pl.lit("/"), "task_id").alias("identity"),
        pl.concat_str(pl.lit('{"action":"'), "event", pl.lit('"}')).alias("attributes"),
    )


def _clears(actions: pl.DataFrame) -> pl.DataFrame:
    """Clears that were meant: neither rehearsed nor only shown, and of a known run."""
    body = pl.col("extra")
    rehearsed = (body.str.json_path_match("$.dry_run") == "true").fill_null(False)
    # The pages of Airflow 2 show first what they would clear, and log that too.
    pages = pl.col("event").is_in(["clear", "dagrun_clear"])
    shown = (pages & ~body.str.contains("confirmed.*true")).fill_null(False)
    run = pl.coalesce("run_id", body.str.json_path_match("$.dag_run_id"))
    listed = body.str.extract(_TASK_IDS).str.extract_all(r'"[^"]+"')
    return (
        actions.filter(pl.col("event").is_in(list(CLEARS)) & ~rehearsed & ~shown)
        .with_columns(run.alias("dag_run_id"), listed.alias("listed"))
        .filter(pl.col("dag_run_id").is_not_null())
        .unique("event_log_id", maintain_order=True)
    )


def _named(clears: pl.DataFrame) -> pl.DataFrame:
    tasks = (
        pl.when(pl.col("listed").list.len() > 0)
        .then(pl.col("listed").list.eval(pl.element().str.strip_chars('"')))
        .otherwise(pl.concat_list("task_id"))
    )
    return clears.with_columns(tasks.alias("task_id")).explode("task_id").drop_nulls("task_id")


def _redone(clears: pl.DataFrame, tries: pl.DataFrame) -> pl.DataFrame:
    """Tasks that ended before a clear and were tried after it; the last clear before counts.

    Where the tries before are not known, only those tried after the clear of a whole run.
    """
    ran = pl.when(~pl.col("state").is_in(NEVER_RAN)).then("end_date")
    task = (*_TASK, "map_index")
    following = tries.sort("try_number").select(
        *_TASK,
        ran.shift(1).over(task).alias("ended_before"),
        pl.coalesce("scheduled_when", "queued_when", "start_date").alias("begun_after"),
        ((pl.col("try_number") > 1) & (pl.col("try_number").cum_count().over(task) == 1)).alias(
            "lacks_earlier"
        ),
    )
    whole_run = clears["task_id"].is_null() & (clears["listed"].list.len().fill_null(0) == 0)
    found = (
        clears.with_columns(whole_run.alias("whole_run"))
        .drop("task_id")
        .join(following, on=_RUN)
        .filter(
            (pl.col("when") <= pl.col("begun_after"))
            & (
                (pl.col("ended_before") <= pl.col("when")).fill_null(False)
                | (pl.col("lacks_earlier") & pl.col("whole_run"))
            )
        )
    )
    return found.sort("when").unique([*_TASK, "begun_after"], keep="last", maintain_order=True)
