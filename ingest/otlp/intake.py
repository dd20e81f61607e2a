"""Taking in requests of exporters: check them, make them durable, say what became of them."""

from __future__ import annotations

import json
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from ingest.otlp.protobuf import faults_of
from ingest.otlp.spans import NO_ID, NO_NAME, NO_TIME
from ingest.otlp.spool import JSON, PROTOBUF, Spool

RETRY_SECONDS = 2
"""After which an exporter may come again that was turned away."""


@dataclass(frozen=True)
class Taken:
    """A request whose batch is on its way to the disk."""

    kept: Future[int]
    rejected: int
    """Spans of it that are none."""
    fault: str
    """Why the first of these is none."""


@dataclass
class Intake:
    """What every way of sending shares; may be used in several threads at once."""

    spool: Spool
    requests: int = 0
    rejected: int = 0

    def take(self, kind: str, body: bytes) -> Taken:
        """Check a request and put it into the spool.

        Raises ValueError for one that is no request, SpoolFullError when there is no room.
        """
        if kind == JSON:
            rejected, fault, body = _checked(body)
        else:
            rejected, fault = faults_of(body)
        kept = self.spool.put(kind, body)
        self.requests += 1
        self.rejected += rejected
        return Taken(kept, rejected, fault)


def answer(taken: Taken, kind: str) -> bytes:
    """What an exporter is told: nothing, or how many of its spans were refused."""
    if kind == JSON:
        if not taken.rejected:
            return b"{}"
        told = {"rejectedSpans": str(taken.rejected), "errorMessage": taken.fault}
        return json.dumps({"partialSuccess": told}).encode()
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb2

    response = pb2.ExportTraceServiceResponse()
    if taken.rejected:
        response.partial_success.rejected_spans = taken.rejected
        response.partial_success.error_message = taken.fault
    content: bytes = response.SerializeToString()
    return content


def refusal(code: int, message: str, kind: str) -> bytes:
    """A `google.rpc.Status` that says why a request was refused."""
    if kind == JSON:
        return json.dumps({"code": code, "message": message}).encode()
    text = message.encode()[:1000]
    length = (
        bytes([len(text)]) if len(text) < 128 else bytes([len(text) & 127 | 128, len(text) >> 7])
    )
    return bytes([0x08, code, 0x12]) + length + text


def _checked(body: bytes) -> tuple[int, str, bytes]:
    """How many spans of a JSON request are none, why the first is, and the request on one line."""
    document = json.loads(body)
    if not isinstance(document, dict) or not isinstance(document.get("resourceSpans", []), list):
        raise ValueError("no object with resourceSpans")
    faults = []
    try:
        for resource_spans in document.get("resourceSpans", []):
            for scope_spans in resource_spans.get("scopeSpans", []):
                faults += [fault for span in scope_spans["spans"] if (fault := _fault(span))]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("resourceSpans are not shaped as in OTLP") from error
    line = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return len(faults), faults[0] if faults else "", line


def _fault(span: Any) -> str | None:
    trace, number = str(span.get("traceId", "")), str(span.get("spanId", ""))
    if len(trace) not in (24, 32) or len(number) not in (12, 16) or not trace.strip("0"):
        return NO_ID
    if not number.strip("0"):
        return NO_ID
    if int(span.get("startTimeUnixNano") or 0) <= 0:
        return NO_TIME
    return None if span.get("name") else NO_NAME


__all__ = ["JSON", "PROTOBUF", "RETRY_SECONDS", "Intake", "Taken", "answer", "refusal"]
