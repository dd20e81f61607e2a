"""The lines that the Airflow source records, whether from its interface or from its database."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from ingest.recorded_lines import numbered, rejected
from miner.eventlog.schema import INSTANT

RUN: dict[str, pl.DataType] = {
    "dag_id": pl.String(),
    "dag_run_id": pl.String(),
    "state": pl.String(),
    "run_type": pl.String(),
    "triggered_by": pl.String(),
    "triggering_user_name": pl.String(),
    "logical_date": pl.String(),
    "queued_at": pl.String(),
    "start_date": pl.String(),
    "end_date": pl.String(),
    "note": pl.String(),
    "version": pl.String(),
}
TRY: dict[str, pl.DataType] = {
    "dag_id": pl.String(),
    "dag_run_id": pl.String(),
    "task_id": pl.String(),
    "map_index": pl.Int64(),
    "try_number": pl.Int64(),
    "state": pl.String(),
    "scheduled_when": pl.String(),
    "queued_when": pl.String(),
    "start_date": pl.String(),
    "end_date": pl.String(),
    "hostname": pl.String(),
    "operator": pl.String(),
    "pool": pl.String(),
    "queue": pl.String(),
    "version": pl.String(),
}
ACTION: dict[str, pl.DataType] = {
    "event_log_id": pl.Int64(),
    "when": pl.String(),
    "event": pl.String(),
    "dag_id": pl.String(),
    "run_id": pl.String(),
    "task_id": pl.String(),
    "owner": pl.String(),
    "extra": pl.String(),
}
HUMAN: dict[str, pl.DataType] = {
    "dag_id": pl.String(),
    "dag_run_id": pl.String(),
    "task_id": pl.String(),
    "map_index": pl.Int64(),
    "try_number": pl.Int64(),
    "subject": pl.String(),
    "responded_by": pl.String(),
    "created_at": pl.String(),
    "responded_at": pl.String(),
    "chosen_options": pl.String(),
}
FAILURE: dict[str, pl.DataType] = {
    "dag_id": pl.String(),
    "dag_run_id": pl.String(),
    "task_id": pl.String(),
    "map_index": pl.Int64(),
    "try_number": pl.Int64(),
    "error_type": pl.String(),
    "error_message": pl.String(),
}
KINDS = {"run": RUN, "try": TRY, "action": ACTION, "human": HUMAN, "failure": FAILURE}
"""What a line may speak of, and what is read of it. Times are UTC, as text."""

LINE = {"kind": pl.String()} | {kind: pl.Struct(fields) for kind, fields in KINDS.items()}
NEVER_RAN = ("skipped", "upstream_failed")
"""States of tasks that were decided not to run."""
INSTANTS = ("scheduled_when", "queued_when", "start_date", "end_date", "when", "responded_at",
            "created_at", "queued_at")  # fmt: skip


class Lines(NamedTuple):
    """What was recorded, by kind."""

    runs: pl.DataFrame
    tries: pl.DataFrame
    actions: pl.DataFrame
    humans: pl.DataFrame
    failures: pl.DataFrame
    rejected: pl.DataFrame
    """`reason` and `record` of lines that are none of these."""


def read_lines(raw: bytes) -> Lines:
    """Take recorded lines apart; raises SourceRefusedError when they are no JSON lines."""
    lines = numbered(raw, LINE, system="Airflow")
    frames = {kind: _of_kind(lines, kind) for kind in KINDS}
    tries = frames["try"]
    lacking = tries.filter(
        pl.any_horizontal(pl.col("dag_id", "dag_run_id", "task_id", "try_number").is_null())
    )
    unknown = lines.filter(~pl.col("kind").is_in(list(KINDS)).fill_null(False))
    bad = [
        rejected(raw, unknown["line"].to_list(), "It is nothing that Airflow tells."),
        rejected(raw, lacking["line"].to_list(), "The task instance lacks its run, task or try."),
    ]
    return Lines(
        runs=frames["run"],
        tries=tries.join(lacking.select("line"), on="line", how="anti"),
        actions=frames["action"],
        humans=frames["human"],
        failures=frames["failure"],
        rejected=pl.concat(bad),
    )


def written(kind: str, frame: pl.DataFrame) -> bytes:
    """Rows with the fields of a kind as recorded lines."""
    fields = [column for column in KINDS[kind] if column in frame.columns]
    lines = frame.select(pl.lit(kind).alias("kind"), pl.struct(fields).alias(kind))
    return lines.write_ndjson().encode()


def instant(column: str) -> pl.Expr:
    """A time as Airflow writes it, in its interface or in its database: UTC, to the microsecond."""
    plain = pl.col(column).str.replace("T", " ", literal=True).str.replace(r"(?:Z|[+-]00:?00)$", "")
    whole = pl.when(plain.str.contains(".", literal=True)).then(plain).otherwise(plain + ".0")
    return whole.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False).cast(INSTANT)


def _of_kind(lines: pl.DataFrame, kind: str) -> pl.DataFrame:
    found = lines.filter(pl.col("kind") == kind).select("line", kind).unnest(kind)
    return found.with_columns(
        instant(column).alias(column) for column in INSTANTS if column in found.columns
    )
