"""OTLP as protobuf: what exporters send, and files of it."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import TYPE_CHECKING, Any

import polars as pl

from ingest.otlp.spans import NO_ID, NO_NAME, NO_TIME, SPAN, as_json
from miner.errors import MissingPackageError

if TYPE_CHECKING:
    from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

KINDS = (None, "internal", "server", "client", "producer", "consumer")
_FAILED = 2
_NO_TRACE, _NO_SPAN = bytes(16), bytes(8)


def traces_data(raw: bytes) -> TracesData:
    """The message in `raw`; raises ValueError when it is none.

    Requests of exporters have the same shape as files, and many of them one after the other are
    one message with all their spans.
    """
    pb2 = _messages()
    try:
        found: TracesData = pb2.TracesData.FromString(raw)
        return found
    except pb2_error() as error:
        raise ValueError(str(error)) from error


def spans_of_protobuf(raw: bytes) -> pl.DataFrame:
    """The spans in one message, with the columns of `SPAN`; raises ValueError when it is none."""
    rows: list[tuple[object, ...]] = []
    for resource_spans in traces_data(raw).resource_spans:
        about = _values(resource_spans.resource.attributes)
        service = about.get("service.name")
        resource = as_json(about)
        where = (str(service) if service else None, resource, None, None)
        for scope_spans in resource_spans.scope_spans:
            rows += [(*_row(span), *where) for span in scope_spans.spans]
    return _checked(pl.DataFrame(rows, schema=SPAN, orient="row", infer_schema_length=None))


def faults_of(raw: bytes) -> tuple[int, str]:
    """How many spans of a message will be refused, and why the first of them."""
    count, first = 0, ""
    for resource_spans in traces_data(raw).resource_spans:
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                fault = _fault(span)
                if fault:
                    count += 1
                    first = first or fault
    return count, first


def _fault(span: Span) -> str | None:
    trace, number = span.trace_id, span.span_id
    if len(trace) != 16 or len(number) != 8 or trace == _NO_TRACE or number == _NO_SPAN:
        return NO_ID
    if not span.start_time_unix_nano:
        return NO_TIME
    return None if span.name else NO_NAME


def _row(span: Span) -> tuple[object, ...]:
    kind, status = span.kind, span.status
    exception = _exception(span.events) if span.events else (None, None)
    return (
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        False,
        span.name,
        KINDS[kind] if 0 <= kind < len(KINDS) else None,
        span.start_time_unix_nano & 0x7FFF_FFFF_FFFF_FFFF,
        span.end_time_unix_nano & 0x7FFF_FFFF_FFFF_FFFF,
        status.code == _FAILED,
        status.message,
        *exception,
        span.trace_state,
        as_json(_values(span.attributes)),
    )


def _exception(events: Iterable[Any]) -> tuple[str | None, str | None]:
    """Type and message of the last exception among the events of a span."""
    for event in reversed(list(events)):
        if event.name == "exception":
            said = _values(event.attributes)
            return (
                str(said["exception.type"]) if "exception.type" in said else None,
                str(said["exception.message"]) if "exception.message" in said else None,
            )
    return None, None


def _values(attributes: Iterable[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for attribute in attributes:
        value = attribute.value
        # Most values are texts; asking for the kind of each would cost more than reading it.
        found.setdefault(attribute.key, value.string_value or _value(value))
    return found


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_value(inner) for inner in value.array_value.values]
    if kind == "kvlist_value":
        return _values(value.kvlist_value.values)
    plain = getattr(value, kind)
    if kind == "bytes_value":
        from base64 import b64encode

        return b64encode(plain).decode("ascii")
    return str(plain) if kind == "double_value" and not isfinite(plain) else plain


def _checked(frame: pl.DataFrame) -> pl.DataFrame:
    """The same spans with null for what is empty, and a reason for those that are none."""
    text = ("parent_span_id", "name", "message", "exception_type", "trace_state")
    bad_id = (
        (pl.col("trace_id").str.len_bytes() != 32)
        | (pl.col("span_id").str.len_bytes() != 16)
        | (pl.col("trace_id") == "0" * 32)
        | (pl.col("span_id") == "0" * 16)
    )
    frame = frame.with_columns(
        *(pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in text),
        *(
            pl.when(pl.col(name) != 0).then(pl.col(name)).alias(name)
            for name in ("started", "ended")
        ),
    ).with_columns(
        pl.when(bad_id)
        .then(pl.lit(NO_ID))
        .when(pl.col("started").is_null())
        .then(pl.lit(NO_TIME))
        .when(pl.col("name").is_null())
        .then(pl.lit(NO_NAME))
        .alias("reason"),
        pl.when(pl.col("parent_span_id") != "0" * 16).then(pl.col("parent_span_id")),
    )
    if frame["reason"].null_count() == frame.height:
        return frame
    told = pl.struct("trace_id", "span_id", "name", "started", "attributes").struct.json_encode()
    return frame.with_columns(
        pl.when(pl.col("reason").is_not_null()).then(told.str.slice(0, 65536)).alias("record")
    )


def check_library() -> None:
    """Raise InputError when the package that knows the messages is missing."""
    _messages()


def _messages() -> Any:
    try:
        from opentelemetry.proto.trace.v1 import trace_pb2
    except ImportError as error:
        raise MissingPackageError(
            "Reading OTLP as protobuf", "opentelemetry-proto", "otlp"
        ) from error
    return trace_pb2


def pb2_error() -> type[Exception]:
    """What protobuf raises for bytes that are no message."""
    from google.protobuf.message import DecodeError

    return DecodeError
