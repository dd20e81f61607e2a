"""A server that answers as Jaeger's query service does, for what the real one never does.

It refuses, breaks off, knows the older interface only, and counts what it is asked. A test holds
it against the real one.
"""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from tests.ingest.local_server import Answer, LocalServer, Request, answering


class Kept(NamedTuple):
    """A span and where it comes from, each as OTLP/JSON has them."""

    resource: dict[str, Any]
    scope: dict[str, Any]
    span: dict[str, Any]


@dataclass
class Jaeger:
    """The traces of a server, and what it was asked."""

    address: str = ""
    legacy: bool = False
    """Whether it knows the older API only."""
    token: str | None = None
    """The bearer token that it wants, if any."""
    fault: Callable[[Request], Answer | None] = lambda _: None
    """Answers instead of it."""
    server: LocalServer | None = None
    spans: dict[str, list[Kept]] = field(default_factory=lambda: defaultdict(list))
    """By trace."""

    def add(self, request: dict[str, Any]) -> None:
        """Take in the spans of an exporter's request."""
        for resource_spans in request["resourceSpans"]:
            for scope_spans in resource_spans["scopeSpans"]:
                for span in scope_spans["spans"]:
                    kept = Kept(resource_spans["resource"], scope_spans.get("scope", {}), span)
                    self.spans[span["traceId"]].append(kept)

    def export(self, spans: Sequence[Any]) -> None:
        """Take in spans of the OpenTelemetry SDK."""
        from google.protobuf.json_format import MessageToDict
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

        request = MessageToDict(encode_spans(spans))
        for resource_spans in request["resourceSpans"]:
            for scope_spans in resource_spans["scopeSpans"]:
                for span in scope_spans["spans"]:
                    for key in ("traceId", "spanId", "parentSpanId"):
                        if key in span:
                            span[key] = base64.b64decode(span[key]).hex()
        self.add(request)

    def answer(self, request: Request) -> Answer:
        """What the API answers."""
        faulty = self.fault(request)
        if faulty is not None:
            return faulty
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return Answer({"error": "unauthorized"}, 401)
        if request.path == "/api/services":
            return Answer({"data": self._services(), "errors": None})
        if request.path == "/api/traces":
            start, end = int(request.params["start"]), int(request.params["end"])
            found = self._found(request.params["service"], start, end, request.params["limit"])
            return Answer({"data": [_legacy(trace, self.spans[trace]) for trace in found]})
        if self.legacy or not request.path.startswith("/api/v3/"):
            return Answer(b"404 page not found\n", 404)
        if request.path == "/api/v3/services":
            return Answer({"services": self._services()})
        return self._traces(request.params)

    def _traces(self, params: dict[str, str]) -> Answer:
        start, end = (
            int(datetime.fromisoformat(params[f"query.start_time_{end}"]).timestamp() * 1e6)
            for end in ("min", "max")
        )
        service, limit = params["query.service_name"], params["query.num_traces"]
        found = self._found(service, start, end, limit)
        if not found:
            return Answer({"error": {"httpCode": 404, "message": "No traces found"}}, 404)
        resource_spans = [
            {"resource": kept.resource, "scopeSpans": [{"scope": kept.scope, "spans": [kept.span]}]}
            for trace in found
            for kept in self.spans[trace]
        ]
        return Answer({"result": {"resourceSpans": resource_spans}})

    def _services(self) -> list[str]:
        return sorted({_service(kept) for spans in self.spans.values() for kept in spans})

    def _found(self, service: str, start: int, end: int, limit: str) -> list[str]:
        """Traces with a span of the service that started then, the latest first."""
        matching = {
            trace: max(_micros(kept.span) for kept in spans)
            for trace, spans in self.spans.items()
            if any(
                _service(kept) == service and start <= _micros(kept.span) <= end for kept in spans
            )
        }
        return sorted(matching, key=lambda trace: -matching[trace])[: int(limit)]


@contextmanager
def serve() -> Iterator[Jaeger]:
    """A server without traces, while the block runs."""
    jaeger = Jaeger()
    with answering(jaeger.answer) as server:
        jaeger.address, jaeger.server = server.address, server
        yield jaeger


def _service(kept: Kept) -> str:
    return next(
        each["value"]["stringValue"]
        for each in kept.resource["attributes"]
        if each["key"] == "service.name"
    )


def _micros(span: dict[str, Any]) -> int:
    return int(span["startTimeUnixNano"]) // 1000


def _tags(attributes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kinds = {"stringValue": "string", "boolValue": "bool", "intValue": "int64"}
    tags = []
    for each in attributes:
        ((kind, value),) = each["value"].items()
        plain = int(value) if kind == "intValue" else value
        if kind in ("arrayValue", "kvlistValue"):
            plain = json.dumps(value)
        tags.append({"key": each["key"], "type": kinds.get(kind, "string"), "value": plain})
    return tags


def _legacy(trace: str, spans: list[Kept]) -> dict[str, Any]:
    """A trace as the older API has it."""
    processes, made = {}, []
    for kept in spans:
        key, span, about = f"p{len(processes) + 1}", kept.span, _tags(kept.resource["attributes"])
        processes[key] = {"serviceName": _service(kept), "tags": about}
        tags = _tags(span.get("attributes", []))
        if "name" in kept.scope:
            name = kept.scope["name"]
            tags.append({"key": "otel.scope.name", "type": "string", "value": name})
        kind = str(span.get("kind", "SPAN_KIND_INTERNAL")).removeprefix("SPAN_KIND_").lower()
        tags.append({"key": "span.kind", "type": "string", "value": kind})
        if span.get("status", {}).get("code") in (2, "STATUS_CODE_ERROR"):
            said = span["status"].get("message", "")
            tags += [
                {"key": "otel.status_code", "type": "string", "value": "ERROR"},
                {"key": "otel.status_description", "type": "string", "value": said},
                {"key": "error", "type": "bool", "value": True},
            ]
        logs = [
            {
                "timestamp": 0,
                "fields": [
                    {"key": "event", "type": "string", "value": event["name"]},
                    *_tags(event.get("attributes", [])),
                ],
            }
            for event in span.get("events", [])
        ]
        references = [
            {"refType": "CHILD_OF", "traceID": trace, "spanID": span["parentSpanId"]}
            for _ in range("parentSpanId" in span)
        ]
        lasts = (int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"])) // 1000
        made.append(
            {
                "traceID": trace, "spanID": span["spanId"], "operationName": span["name"],
                "references": references, "startTime": _micros(span), "duration": lasts,
                "tags": tags, "logs": logs, "processID": key, "warnings": None,
            }
        )  # fmt: skip
    return {"traceID": trace, "spans": made, "processes": processes, "warnings": None}
