"""Recorded spans: orders of ten spans with a failed charge and its retry, in each format."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import polars as pl

from benchmarks.decoding import Recorded
from ingest.otlp.events import Reading, events_of
from ingest.otlp.formats import spans_of
from ingest.sources.jaeger import JaegerTraces

START = 1_770_000_000_000_000_000
SPANS_OF_A_TRACE = 10
TRACES_OF_A_REQUEST = 50
_NAMES = (
    "POST /orders", "check stock", "SELECT orders", "charge", "charge", "GET /rates/{id}",
    "publish order.paid", "print label", "POST /shipments", "notify",
)  # fmt: skip
_PARENTS = (None, 0, 1, 0, 0, 4, 0, 0, 7, 0)
_FAILED = 3


def recorded(events: int) -> Recorded:
    """Requests of an exporter as JSON, one per line, as the collector writes them to files."""
    return Recorded(_lines(_requests(events)), _decoded)


def recorded_protobuf(events: int) -> Recorded:
    """The same as protobuf."""
    from google.protobuf.json_format import ParseDict
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

    made = b""
    for request in _requests(events):
        for span in _spans(request):
            for key in ("traceId", "spanId", "parentSpanId"):
                if key in span:
                    span[key] = base64.b64encode(bytes.fromhex(span[key])).decode()
        made += ParseDict(request, TracesData()).SerializeToString()
    return Recorded(made, _decoded)


def recorded_jaeger(events: int) -> Recorded:
    """The same as Jaeger's older API answers."""
    answers = [{"data": list(_legacy(request))} for request in _requests(events)]
    return Recorded(_lines(iter(answers)), JaegerTraces("http://localhost:16686").decode)


def _decoded(raw: bytes) -> pl.DataFrame:
    return events_of(spans_of(raw), Reading())


def _lines(documents: Iterator[dict[str, Any]]) -> bytes:
    return b"\n".join(json.dumps(each, separators=(",", ":")).encode() for each in documents)


def _spans(request: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = request["resourceSpans"][0]["scopeSpans"][0]["spans"]
    return found


def _requests(events: int) -> Iterator[dict[str, Any]]:
    traces = -(-events // (2 * SPANS_OF_A_TRACE))
    about = {"service.name": "shop", "service.version": "1.4", "service.instance.id": "shop-1"}
    for first in range(0, traces, TRACES_OF_A_REQUEST):
        numbers = range(first, min(first + TRACES_OF_A_REQUEST, traces))
        spans = [span for number in numbers for span in _trace(number)]
        scope = {"scope": {"name": "orders"}, "spans": spans}
        yield {
            "resourceSpans": [{"resource": {"attributes": _texts(about)}, "scopeSpans": [scope]}]
        }


def _trace(number: int) -> Iterator[dict[str, Any]]:
    begin = START + number * 1_000_000_000
    for i, (name, parent) in enumerate(zip(_NAMES, _PARENTS, strict=True)):
        span = {
            "traceId": f"{number + 1:032x}",
            "spanId": f"{number * 16 + i + 1:016x}",
            "name": name,
            "kind": 2 if parent is None else 1,
            "startTimeUnixNano": str(begin + i * 10_000_000),
            "endTimeUnixNano": str(begin + (20 - i if parent is None else i + 1) * 10_000_000),
            "attributes": [
                *_texts(
                    {"order.id": f"O-{number}", "http.route": "/orders", "server.address": "shop"}
                ),
                {"key": "http.response.status_code", "value": {"intValue": "200"}},
                {"key": "cached", "value": {"boolValue": False}},
            ],
            "status": {"code": 2, "message": "declined"} if i == _FAILED else {},
        }
        if parent is not None:
            span["parentSpanId"] = f"{number * 16 + parent + 1:016x}"
        if i == _FAILED:
            said = {"exception.type": "CardDeclined", "exception.message": "declined"}
            span["events"] = [{"name": "exception", "attributes": _texts(said)}]
        yield span


def _texts(plain: dict[str, str]) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in plain.items()]


def _legacy(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    spans = _spans(request)
    for i in range(0, len(spans), SPANS_OF_A_TRACE):
        trace = spans[i]["traceId"]
        yield {
            "traceID": trace,
            "spans": [_legacy_span(span) for span in spans[i : i + SPANS_OF_A_TRACE]],
            "processes": {"p1": {"serviceName": "shop", "tags": []}},
        }


def _legacy_span(span: dict[str, Any]) -> dict[str, Any]:
    started = int(span["startTimeUnixNano"]) // 1000
    tags = [
        {"key": each["key"], "type": "string", "value": str(next(iter(each["value"].values())))}
        for each in span["attributes"]
    ]
    if span["status"]:
        tags.append({"key": "error", "type": "bool", "value": True})
    return {
        "traceID": span["traceId"],
        "spanID": span["spanId"],
        "operationName": span["name"],
        "references": [
            {"refType": "CHILD_OF", "traceID": span["traceId"], "spanID": span["parentSpanId"]}
            for _ in range("parentSpanId" in span)
        ],
        "startTime": started,
        "duration": int(span["endTimeUnixNano"]) // 1000 - started,
        "tags": tags,
        "logs": [],
        "processID": "p1",
    }
