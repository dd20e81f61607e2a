"""The lines that the Step Functions source records, as one flat frame of history events."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, NamedTuple

import polars as pl

from ingest.recorded_lines import numbered, rejected
from miner.eventlog.schema import INSTANT

DETAILS = {
    "name": pl.String(),
    "error": pl.String(),
    "cause": pl.String(),
    "resource": pl.String(),
    "resourceType": pl.String(),
    "workerName": pl.String(),
    "index": pl.Int64(),
    "mapRunArn": pl.String(),
    "state": pl.String(),
    "output": pl.String(),
}
"""What is read of the `…EventDetails` of an event, whatever its type."""

EVENT = {
    "id": pl.Int64(),
    "previousEventId": pl.Int64(),
    "timestamp": pl.Float64(),
    "type": pl.String(),
}
TEXTS = ("name", "stateMachineVersionArn", "stateMachineAliasArn", "mapRunArn", "revisionId",
         "parentArn")  # fmt: skip
LINE = {
    "kind": pl.String(),
    "execution": pl.String(),
    "event": pl.Struct(EVENT),
    "details": pl.Struct(DETAILS),
    "item": pl.Struct(dict.fromkeys(TEXTS, pl.String())),
}
"""One line: a history event of an execution, or what a list or description said of one."""


def event_line(execution: str, event: dict[str, Any]) -> bytes:
    """A recorded line of a history event; the type says what its details are called."""
    details = next((value for key, value in event.items() if key.endswith("EventDetails")), None)
    common = {key: value for key, value in event.items() if not key.endswith("EventDetails")}
    return line(kind="event", execution=execution, event=common, details=details)


def line(**parts: Any) -> bytes:
    """One recorded line, with times as the API sends them: seconds since 1970."""
    return json.dumps(parts, separators=(",", ":"), default=_seconds).encode()


def _seconds(value: object) -> object:
    return value.timestamp() if isinstance(value, datetime) else str(value)


class Lines(NamedTuple):
    """What was recorded, taken apart."""

    events: pl.DataFrame
    """One row per history event, in order of execution and id, with a `row` number."""
    executions: pl.DataFrame
    """One row per execution that a list or description spoke of."""
    rejected: pl.DataFrame
    """`reason` and `record` of lines that are no events."""


def read_lines(raw: bytes) -> Lines:
    """Take recorded lines apart; raises SourceRefusedError when they are no JSON lines."""
    lines = numbered(raw, LINE, system="Step Functions")
    event = pl.col("event").struct
    usable = (
        (pl.col("kind") == "event")
        & event.field("id").is_not_null()
        & event.field("timestamp").is_not_null()
        & event.field("type").is_not_null()
        & pl.col("execution").is_not_null()
    ).fill_null(False)
    item = (pl.col("kind") == "execution").fill_null(False)
    bad = lines.filter(~usable & ~item)["line"].to_list()
    return Lines(
        _flat(lines.filter(usable)), _items(lines.filter(item)), rejected(raw, bad, _NO_EVENT)
    )


_NO_EVENT = "It is no history event: id, timestamp or type is missing or of another type."


def reject(rows: pl.DataFrame, raw: bytes, reason: str) -> pl.DataFrame:
    """The recorded lines of `rows`, each with the reason why it cannot be used."""
    return rejected(raw, rows["line"].to_list(), reason)


def _flat(lines: pl.DataFrame) -> pl.DataFrame:
    flat = lines.unnest("event", "details").select(
        "line",
        "execution",
        "id",
        pl.col("previousEventId").fill_null(0).alias("previous"),
        pl.col("type").cast(pl.Categorical()),
        (pl.col("timestamp") * 1_000_000).round().cast(pl.Int64).cast(INSTANT).alias("at"),
        *DETAILS,
    )
    # A page that was answered twice gives its events twice.
    flat = flat.unique(["execution", "id"], keep="first", maintain_order=True)
    order = pl.col("line").min().over("execution")
    return flat.sort(order, "id").with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))


def _items(lines: pl.DataFrame) -> pl.DataFrame:
    return lines.select("execution", "item").unnest("item").unique("execution", keep="last")
