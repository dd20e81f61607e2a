"""Traces written out for tests, as OTLP/JSON has them."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from ingest.otlp.events import Reading, events_of
from ingest.otlp.json import spans_of_json

START = 1_770_000_000_000_000_000
"""2026-02-02 02:40:00 UTC, in nanoseconds."""
SECOND = 1_000_000_000


def value(plain: Any) -> dict[str, Any]:
    """A value as OTLP/JSON has it."""
    if isinstance(plain, bool):
        return {"boolValue": plain}
    if isinstance(plain, int):
        return {"intValue": str(plain)}
    if isinstance(plain, float):
        return {"doubleValue": plain}
    if isinstance(plain, list):
        return {"arrayValue": {"values": [value(each) for each in plain]}}
    if isinstance(plain, dict):
        return {"kvlistValue": {"values": attributes(plain)}}
    return {"stringValue": plain}


def attributes(plain: dict[str, Any]) -> list[dict[str, Any]]:
    """Attributes as OTLP/JSON has them."""
    return [{"key": key, "value": value(each)} for key, each in plain.items()]


def span(
    name: str,
    number: int,
    parent: int | None = None,
    *,
    trace: int = 1,
    at: float = 0,
    lasts: float | None = 1,
    kind: int = 1,
    error: str | None = None,
    exception: tuple[str, str] | None = None,
    state: str = "",
    **about: Any,
) -> dict[str, Any]:
    """A span that starts `at` seconds after `START`; `about` has `_` for `.` in names."""
    started = START + int(at * SECOND)
    made: dict[str, Any] = {
        "traceId": f"{trace:032x}",
        "spanId": f"{number:016x}",
        "name": name,
        "kind": kind,
        "startTimeUnixNano": str(started),
        "attributes": attributes({key.replace("_", "."): each for key, each in about.items()}),
        "status": {} if error is None else {"code": 2, "message": error},
    }
    if parent is not None:
        made["parentSpanId"] = f"{parent:016x}"
    if lasts is not None:
        made["endTimeUnixNano"] = str(started + int(lasts * SECOND))
    if state:
        made["traceState"] = state
    if exception:
        kept = {"exception.type": exception[0], "exception.message": exception[1]}
        made["events"] = [{"name": "exception", "attributes": attributes(kept)}]
    return made


def request(spans: Sequence[dict[str, Any]], **resource: Any) -> dict[str, Any]:
    """A request of an exporter with those spans, all of one service."""
    about = {"service.name": "shop", **{key.replace("_", "."): v for key, v in resource.items()}}
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": attributes(about)},
                "scopeSpans": [{"scope": {"name": "tests"}, "spans": list(spans)}],
            }
        ]
    }


def events(*spans: dict[str, Any], reading: Reading | None = None, **resource: Any) -> pl.DataFrame:
    """The events of some spans of one service, in order."""
    line = json.dumps(request(spans, **resource))
    found = events_of(spans_of_json(pl.Series([line])), reading or Reading())
    return found.sort("position", "event_id", nulls_last=True)


def ends(*spans: dict[str, Any], reading: Reading | None = None, **resource: Any) -> pl.DataFrame:
    """Those of them that end a span."""
    found = events(*spans, reading=reading, **resource)
    return found.filter(pl.col("event_id").str.ends_with(":end"))


def in_base64(document: dict[str, Any]) -> dict[str, Any]:
    """The same document as writers of protobuf have it, with ids in base64."""
    copied: dict[str, Any] = json.loads(json.dumps(document))
    for resource_spans in copied["resourceSpans"]:
        for scope_spans in resource_spans["scopeSpans"]:
            for each in scope_spans["spans"]:
                for key in ("traceId", "spanId", "parentSpanId"):
                    if key in each:
                        each[key] = base64.b64encode(bytes.fromhex(each[key])).decode()
    return copied


def protobuf(document: dict[str, Any]) -> bytes:
    """The same document as a message."""
    from google.protobuf.json_format import ParseDict
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

    content: bytes = ParseDict(in_base64(document), TracesData()).SerializeToString()
    return content


def written(folder: Path, *requests: dict[str, Any], name: str = "spans.json") -> str:
    """A file with a request on each line."""
    path = folder / name
    path.write_text("\n".join(json.dumps(each) for each in requests), encoding="utf-8")
    return str(path)
