"""OTLP as JSON: requests of exporters, files of the collector, answers of Jaeger."""

from __future__ import annotations

from typing import Any

import duckdb
import polars as pl

from ingest.otlp.spans import BROKEN, NO_ID, NO_NAME, NO_TIME, SPAN, rejected

_TEXT = pl.String()
_SCALARS: dict[str, Any] = dict.fromkeys(
    ("stringValue", "boolValue", "intValue", "doubleValue", "bytesValue"), _TEXT
)
# Values nest without end; what lies deeper than an array or a map in an attribute is left out.
_INNER = pl.Struct(_SCALARS)
_VALUE = pl.Struct(
    {
        **_SCALARS,
        "arrayValue": pl.Struct({"values": pl.List(_INNER)}),
        "kvlistValue": pl.Struct({"values": pl.List(pl.Struct({"key": _TEXT, "value": _INNER}))}),
    }
)
_ATTRIBUTES = pl.List(pl.Struct({"key": _TEXT, "value": _VALUE}))
_PLAIN = (
    "traceId", "spanId", "parentSpanId", "traceState", "name", "kind", "startTimeUnixNano",
    "endTimeUnixNano",
)  # fmt: skip
_SPAN = pl.Struct(
    {
        **dict.fromkeys(_PLAIN, _TEXT),
        "attributes": _ATTRIBUTES,
        "events": pl.List(pl.Struct({"name": _TEXT, "attributes": _ATTRIBUTES})),
        "status": pl.Struct({"code": _TEXT, "message": _TEXT}),
    }
)  # fmt: skip
_SCOPE_SPANS = pl.List(pl.Struct({"spans": pl.List(_SPAN)}))
RESOURCE_SPANS = pl.List(
    pl.Struct(
        {
            "resource": pl.Struct({"attributes": _ATTRIBUTES}),
            "scopeSpans": _SCOPE_SPANS,
            "instrumentationLibrarySpans": _SCOPE_SPANS,  # before OTLP 0.15
        }
    )
)
DOCUMENT = pl.Struct(
    {"resourceSpans": RESOURCE_SPANS, "result": pl.Struct({"resourceSpans": RESOURCE_SPANS})}
)
"""What exporters send and the collector writes; Jaeger wraps it in `result`."""


def spans_of_json(lines: pl.Series) -> pl.DataFrame:
    """The spans in documents of OTLP/JSON, one per line, with the columns of `SPAN`.

    Ids may be hexadecimal, as OTLP wants, or base64, as other writers of protobuf give them. A line
    that is no such document is a row with a reason.
    """
    documents, broken = decoded(lines, DOCUMENT)
    connection = duckdb.connect()
    try:
        connection.execute("set threads = 1")
        connection.register("document", documents)
        found: pl.DataFrame = connection.sql(_SPANS).pl()
    finally:
        connection.close()
    found = found.cast(SPAN).select(list(SPAN))
    return pl.concat([found, broken]) if broken.height else found


def decoded(lines: pl.Series, kind: pl.DataType) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Lines of JSON as a column `document`, and rows with a reason for those that are not."""
    lines = lines.filter(lines.str.strip_chars() != "")
    good = _parsed(lines, kind)
    if good is not None:
        return pl.DataFrame({"document": good}), pl.DataFrame(schema=SPAN)
    halves = (
        [lines.slice(0, lines.len() // 2), lines.slice(lines.len() // 2)] if lines.len() > 1 else []
    )
    if not halves:
        none = pl.DataFrame({"document": pl.Series([], dtype=kind)})
        return none, rejected(BROKEN, lines[0])
    parts = [decoded(half, kind) for half in halves]
    return pl.concat([part[0] for part in parts]), pl.concat([part[1] for part in parts])


def _parsed(lines: pl.Series, kind: pl.DataType) -> pl.Series | None:
    try:
        return lines.str.json_decode(kind)
    except pl.exceptions.ComputeError:
        return None


def _scalar(value: str) -> str:
    """SQL for the JSON text of a value that is neither array nor map."""
    return f"""coalesce(
        to_json({value}.stringValue)::varchar,
        try_cast({value}.intValue as bigint)::varchar,
        case when {value}.boolValue in ('true', 'false') then {value}.boolValue end,
        case when isfinite(try_cast({value}.doubleValue as double))
            then {value}.doubleValue end,
        to_json(coalesce({value}.intValue, {value}.doubleValue, {value}.bytesValue))::varchar,
        'null'
    )"""


def _members(attributes: str) -> str:
    """SQL for the JSON object of a list of attributes; of equal keys the first one counts."""
    return f"""'{{' || coalesce(array_to_string(list_transform({attributes}, lambda a:
        to_json(coalesce(a.key, ''))::varchar || ':' || case
            when a.value.arrayValue is not null then '[' || coalesce(array_to_string(
                list_transform(a.value.arrayValue.values, lambda v: {_scalar("v")}), ','
            ), '') || ']'
            when a.value.kvlistValue is not null then '{{' || coalesce(array_to_string(
                list_transform(a.value.kvlistValue.values, lambda m:
                    to_json(coalesce(m.key, ''))::varchar || ':' || {_scalar("m.value")}), ','
            ), '') || '}}'
            else {_scalar("a.value")}
        end
    ), ','), '') || '}}'"""


def text_of(attributes: str, key: str) -> str:
    """SQL for the text of one attribute in a list of them."""
    return f"list_filter({attributes}, lambda a: a.key = '{key}')[1]['value'].stringValue"


_ID = """case
    when length({id}) in ({hex}) then lower({id})
    when length({id}) in ({base}) then lower(hex(try(from_base64({id}))))
    else {id}
end"""


def _id(name: str, *, digits: int, base64: int) -> str:
    return _ID.format(id=name, hex=digits, base=base64)


_SPANS = f"""
with resource_spans as (
    select unnest(coalesce(document.resourceSpans, document.result.resourceSpans)) as r
    from document
),
scope_spans as (
    select
        {_members("r.resource.attributes")} as resource,
        {text_of("r.resource.attributes", "service.name")} as service,
        unnest(coalesce(r.scopeSpans, r.instrumentationLibrarySpans)) as s
    from resource_spans
),
flat as (
    select resource, service, unnest(s.spans, recursive := false) as p
    from scope_spans
),
read as (
    select
        {_id("p.traceId", digits=32, base64=24)} as trace_id,
        {_id("p.spanId", digits=16, base64=12)} as span_id,
        nullif(nullif({_id("p.parentSpanId", digits=16, base64=12)}, ''), repeat('0', 16))
            as parent_span_id,
        nullif(p.name, '') as name,
        lower(replace(p.kind, 'SPAN_KIND_', '')) as kind,
        nullif(try_cast(p.startTimeUnixNano as bigint), 0) as started,
        nullif(try_cast(p.endTimeUnixNano as bigint), 0) as ended,
        p.status.code in ('2', 'STATUS_CODE_ERROR') as failed,
        nullif(p.status.message, '') as message,
        list_filter(p.events, lambda e: e.name = 'exception')[-1].attributes as exception,
        nullif(p.traceState, '') as trace_state,
        {_members("p.attributes")} as attributes,
        service,
        resource,
        p
    from flat
)
select
    trace_id,
    span_id,
    parent_span_id,
    false as shared,
    name,
    case kind
        when '1' then 'internal' when '2' then 'server' when '3' then 'client'
        when '4' then 'producer' when '5' then 'consumer' when '0' then null
        else nullif(kind, 'unspecified')
    end as kind,
    started,
    ended,
    coalesce(failed, false) as failed,
    message,
    {text_of("exception", "exception.type")} as exception_type,
    {text_of("exception", "exception.message")} as exception_message,
    trace_state,
    attributes,
    nullif(service, '') as service,
    resource,
    case
        when trace_id is null or span_id is null or length(trace_id) <> 32
            or length(span_id) <> 16 or trace_id = repeat('0', 32) or span_id = repeat('0', 16)
            then '{NO_ID}'
        when started is null or started < 0 then '{NO_TIME}'
        when name is null then '{NO_NAME}'
    end as reason,
    case when reason is not null then left(to_json(p)::varchar, 65536) end as record
from read
"""
