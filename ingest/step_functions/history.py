"""Histories of Step Functions executions as events."""

from __future__ import annotations

import polars as pl

from ingest.step_functions.attempts import attempted, with_iterations
from ingest.step_functions.closing import closed
from ingest.step_functions.lines import Lines, read_lines, reject
from ingest.step_functions.scopes import scoped
from miner.eventlog.schema import BATCH

VERDICTS = {
    "ExecutionStarted": "running",
    "ExecutionRedriven": "running",
    "ExecutionSucceeded": "completed",
    "ExecutionFailed": "failed",
    "ExecutionAborted": "cancelled",
    "ExecutionTimedOut": "timed_out",
}
ENDINGS = {"completed": "complete", "failed": "fail", "cancelled": "cancel", "timed_out": "timeout"}
TOKEN = ".waitForTaskToken"
UNKNOWN = "Nothing is known of events of this type."
STRAY = "It belongs to no state: the event before it is missing from the history."


def decode(raw: bytes, human_states: tuple[str, ...] = ()) -> pl.DataFrame:
    """The events in recorded lines, with columns of `BATCH`.

    The lines hold whole executions, whose events may be in any order and given twice. Waiting for a
    token in one of `human_states` is work of people. Raises SourceRefusedError when the bytes are
    no JSON lines.
    """
    lines = read_lines(raw)
    rows = _with_resources(with_iterations(attempted(scoped(lines.events))))
    rows = rows.with_columns(_attributes().alias("attributes"))
    events = pl.concat(
        [_told(rows), _begun_again(rows), closed(rows), _ordered(rows)], how="diagonal"
    )
    events = pl.concat([events, _stateless(rows, events)], how="diagonal").with_columns(
        _resource_kind(human_states).alias("resource_kind")
    )
    events = events.join(_cases(rows, lines), on="execution", how="left")
    events = events.sort("number", "position").select(
        pl.col("execution").alias("case_id"),
        pl.concat_str("execution", pl.lit("#"), "begun", pl.lit(":"), "identity").alias("event_id"),
        pl.col("activity").alias("activity_id"),
        pl.col("at").alias("timestamp"),
        pl.col("error").alias("error_type"),
        pl.col("cause").alias("error_message"),
        *[column for column in BATCH if column in _KEPT],
    )
    rejected = [
        lines.rejected,
        reject(rows.filter(pl.col("lifecycle") == "unknown"), raw, UNKNOWN),
        reject(_stray(rows), raw, STRAY),
    ]
    return pl.concat([events, *rejected], how="diagonal")


_KEPT = {"process", "activity", "instance_id", "lifecycle", "position", "attempt", "resource",
         "resource_kind", "process_version", "attributes", "parent_case_id", "root_case_id",
         "case_status", "case_attributes"}  # fmt: skip
_SHARED = ("execution", "activity", "kind", "attempt", "waits", "resource", "attributes")


def _instance() -> pl.Expr:
    """Entering a state and a number of the attempt make an activity instance."""
    return pl.concat_str(pl.col("id").gather(pl.col("entry")), pl.lit("/"), "attempt")


def _told(rows: pl.DataFrame) -> pl.DataFrame:
    """What history events say themselves; a Fail state fails in the moment it is entered."""
    rows = rows.with_columns(
        (_instance() + pl.when("late").then(pl.lit("/late")).otherwise(pl.lit("")))
        .alias("instance_id")
    )  # fmt: skip
    told = rows.filter(pl.col("entry").is_not_null() & (pl.col("lifecycle") != "unknown"))
    fails = told.filter(pl.col("enters") & (pl.col("kind") == "Fail"))
    both = pl.concat([told, fails.with_columns(pl.lit("fail").alias("lifecycle"))])
    failing = pl.col("lifecycle").is_in(["fail", "timeout"])
    return both.select(
        *_SHARED,
        "instance_id",
        "lifecycle",
        "at",
        (2 * pl.col("id") + failing.cast(pl.Int64)).alias("position"),
        pl.concat_str("id", pl.lit("/"), "lifecycle").alias("identity"),
        pl.when(failing).then("error").alias("error"),
        pl.when(failing).then("cause").alias("cause"),
    )


def _begun_again(rows: pl.DataFrame) -> pl.DataFrame:
    """The begin of attempts that a redrive goes on with and no event of their state begins."""
    redriven = pl.col("redriven")
    rows = rows.with_columns(
        _instance().alias("instance_id"),
        pl.col("at").gather(redriven).alias("at"),
        pl.col("id").gather(redriven).alias("redrive_id"),
    )
    return rows.filter(
        pl.col("again") & redriven.is_not_null() & ~pl.col("opens") & ~pl.col("late")
    ).select(
        *_SHARED,
        "instance_id",
        pl.lit("start").alias("lifecycle"),
        "at",
        (2 * pl.col("redrive_id") + 1).alias("position"),
        pl.concat_str("redrive_id", pl.lit("/start/"), "instance_id").alias("identity"),
    )


def _ordered(rows: pl.DataFrame) -> pl.DataFrame:
    """A person redrove the execution: what had not succeeded was ordered to be done again."""
    redriven = pl.col("redriven")
    rows = rows.with_columns(
        pl.col("at").gather(redriven).alias("at"),
        pl.col("id").gather(redriven).alias("redrive_id"),
        pl.col("id").gather(pl.col("entry")).alias("entry_id"),
    )
    first = rows.filter(redriven.is_not_null()).unique(["entry", "redriven"], keep="first")
    return first.select(
        "execution",
        "activity",
        pl.lit("retry").alias("lifecycle"),
        "at",
        (2 * pl.col("redrive_id")).alias("position"),
        pl.concat_str("redrive_id", pl.lit("/retry/"), "entry_id").alias("identity"),
        pl.lit('{"state_type":"Execution"}').alias("attributes"),
    )


def _stateless(rows: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Executions that ended before any state was entered: their own begin and end."""
    kind = pl.col("type").cast(pl.String)
    bare = rows.filter(
        kind.str.starts_with("Execution") & (kind != "ExecutionRedriven")
    ).join(events.select("execution").unique(), on="execution", how="anti")  # fmt: skip
    over = bare.filter(kind != "ExecutionStarted").select("execution").unique()
    ending = kind.replace_strict(VERDICTS, default=None).replace_strict(ENDINGS, default="start")
    return bare.join(over, on="execution", how="semi").select(
        "execution",
        pl.lit("Execution").alias("activity"),
        ending.alias("lifecycle"),
        "at",
        (2 * pl.col("id")).alias("position"),
        pl.concat_str("id", pl.lit("/"), ending).alias("identity"),
        pl.lit("1").alias("instance_id"),
        "error",
        "cause",
        pl.lit('{"state_type":"Execution"}').alias("attributes"),
    )


def _stray(rows: pl.DataFrame) -> pl.DataFrame:
    unknown = pl.col("lifecycle").eq_missing("unknown")
    return rows.filter(pl.col("entry").is_null() & ~pl.col("of_execution") & ~unknown)


def _with_resources(rows: pl.DataFrame) -> pl.DataFrame:
    """Who did the work of an attempt: the worker of an activity, else the service that was called.

    Adds `waits`: whether the attempt waits for a token that somebody has to send back.
    """
    service = pl.when(pl.col("resourceType").is_not_null()).then(
        pl.concat_str("resourceType", pl.lit(":"), "resource")
    ).otherwise("resource")  # fmt: skip
    known = pl.coalesce("workerName", service).forward_fill().over("entry", "attempt")
    rows = rows.with_columns(pl.when(pl.col("entry").is_not_null()).then(known).alias("resource"))
    return rows.with_columns(
        pl.col("resource").str.ends_with(TOKEN).fill_null(False).alias("waits")
    )


def _resource_kind(human_states: tuple[str, ...]) -> pl.Expr:
    """Who sends a token back is unknown, unless the user says that people do."""
    by_people = pl.col("activity").is_in(list(human_states)) & pl.col("waits").fill_null(False)
    return (
        pl.when((pl.col("lifecycle") == "retry") | by_people)
        .then(pl.lit("human"))
        .when(~pl.col("waits").fill_null(False) & (pl.col("lifecycle") != "scheduled"))
        .then(pl.lit("system"))
    )


def _attributes() -> pl.Expr:
    """Further attributes of an event; the state type is always there, nulls are left out."""
    submitted = pl.col("type") == "TaskSubmitted"
    names_one = pl.col("output").str.contains('"ExecutionArn"', literal=True)
    started = pl.when(submitted & names_one).then(
        pl.col("output").str.json_path_match("$.ExecutionArn")
    )
    # What is told between the begin and the end of an attempt stands at its end.
    attempt = ("entry", "attempt")
    fields = pl.struct(
        pl.col("kind").alias("state_type"),
        "iteration",
        pl.col("mapRunArn").forward_fill().over(attempt).alias("map_run"),
        started.forward_fill().over(attempt).alias("started_execution"),
    )
    return fields.struct.json_encode().str.replace_all(r',"[a-z_]+":null', "")


def _cases(rows: pl.DataFrame, lines: Lines) -> pl.DataFrame:
    """One row per execution: what holds for all of its events."""
    kind = pl.col("type").cast(pl.String)
    ended = kind.is_in(["ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"])
    runs = rows.group_by("execution").agg(
        pl.col("row").min().alias("number"),
        pl.col("at").min().dt.epoch("ms").alias("begun"),
        kind.filter(kind.is_in(list(VERDICTS))).last().alias("last"),
        kind.filter(kind == "ExecutionRedriven").len().alias("redrives"),
        pl.col("error").filter(ended).last().alias("error"),
        pl.col("cause").filter(ended).last().alias("cause"),
    )
    runs = runs.join(lines.executions, on="execution", how="left")
    parts = pl.col("execution").str.split(":")
    name = pl.coalesce("name", parts.list.get(7, null_on_oob=True), "execution")
    about = pl.struct(
        name.alias("name"),
        pl.col("stateMachineVersionArn").alias("state_machine_version"),
        pl.col("stateMachineAliasArn").alias("state_machine_alias"),
        pl.col("mapRunArn").alias("map_run"),
        pl.when(pl.col("redrives") > 0).then("redrives").alias("redrives"),
        pl.col("error").replace("", None),
        pl.col("cause").replace("", None),
    )
    parent = pl.col("parentArn")
    return runs.select(
        "execution",
        "number",
        "begun",
        parts.list.get(6, null_on_oob=True).alias("process"),
        pl.col("revisionId").alias("process_version"),
        parent.alias("parent_case_id"),
        pl.when(~parent.str.contains("/", literal=True)).then(parent).alias("root_case_id"),
        pl.col("last").replace_strict(VERDICTS, default=None).alias("case_status"),
        about.struct.json_encode().str.replace_all(r',"[a-z_]+":null', "").alias("case_attributes"),
    )
