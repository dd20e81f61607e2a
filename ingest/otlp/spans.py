"""Spans: what every format of traces is turned into before it becomes events."""

from __future__ import annotations

import json

import polars as pl

SPAN = pl.Schema(
    {
        "trace_id": pl.String(),  # 32 hexadecimal digits, lower case
        "span_id": pl.String(),  # 16 of them
        "parent_span_id": pl.String(),  # null: the root of its trace
        "shared": pl.Boolean(),  # Zipkin: the server's half of a span that both sides wrote
        "name": pl.String(),
        "kind": pl.String(),  # internal, server, client, producer, consumer; null: not said
        "started": pl.Int64(),  # nanoseconds since 1970
        "ended": pl.Int64(),  # null: not ended when it was written
        "failed": pl.Boolean(),
        "message": pl.String(),  # of the status
        "exception_type": pl.String(),  # of the last exception that was recorded
        "exception_message": pl.String(),
        "trace_state": pl.String(),
        "attributes": pl.String(),  # one JSON object
        "service": pl.String(),  # service.name of the resource
        "resource": pl.String(),  # attributes of the resource: one JSON object
        "reason": pl.String(),  # why this is no span; null for spans
        "record": pl.String(),
    }
)
"""One row per span. With a `reason` all but the `record` may be null."""

NO_TIME = "a span without the time at which it started"
NO_ID = "a span whose trace or span id is missing or zero"
NO_NAME = "a span without a name"
BROKEN = "not valid JSON, or not shaped like spans"

_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
as_json = _JSON.encode
"""A value as JSON text without blanks."""


def rejected(reason: str, record: str) -> pl.DataFrame:
    """One row that goes to quarantine."""
    return pl.DataFrame({"reason": [reason], "record": [record[:65536]]}).match_to_schema(
        SPAN, missing_columns="insert"
    )
