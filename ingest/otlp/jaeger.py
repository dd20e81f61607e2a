"""Traces as Jaeger's older API and its screens give them: `{"data": [{"traceID": …}]}`."""

from __future__ import annotations

import duckdb
import polars as pl

from ingest.otlp.json import decoded
from ingest.otlp.spans import NO_ID, NO_NAME, NO_TIME, SPAN

_TEXT = pl.String()
_TAGS = pl.List(pl.Struct({"key": _TEXT, "type": _TEXT, "value": _TEXT}))
_PLAIN = (
    "traceID", "spanID", "parentSpanID", "operationName", "startTime", "duration", "processID",
)  # fmt: skip
_SPAN = pl.Struct(
    {
        **dict.fromkeys(_PLAIN, _TEXT),
        "references": pl.List(pl.Struct({"refType": _TEXT, "traceID": _TEXT, "spanID": _TEXT})),
        "tags": _TAGS,
        "logs": pl.List(pl.Struct({"fields": _TAGS})),
        "process": pl.Struct({"serviceName": _TEXT, "tags": _TAGS}),
    }
)  # fmt: skip
_TRACE = pl.Struct({"traceID": _TEXT, "spans": pl.List(_SPAN)})
DOCUMENT = pl.Struct({"data": pl.List(_TRACE)})


def spans_of_jaeger(lines: pl.Series) -> pl.DataFrame:
    """The spans in answers of `/api/traces` or in saved traces, one document per line.

    The columns are those of `SPAN`; a line that is no such document is a row with a reason.
    """
    documents, broken = decoded(lines, DOCUMENT)
    connection = duckdb.connect()
    try:
        connection.execute("set threads = 1")
        connection.register("document", documents)
        connection.register("line", pl.DataFrame({"line": lines}))
        found: pl.DataFrame = connection.sql(_SPANS).pl()
    finally:
        connection.close()
    found = found.cast(SPAN).select(list(SPAN))
    return pl.concat([found, broken]) if broken.height else found


def _members(tags: str, *, without: tuple[str, ...] = ()) -> str:
    """SQL for the JSON object of a list of tags."""
    left = ", ".join(f"'{name}'" for name in ("", *without))
    return f"""'{{' || coalesce(array_to_string(list_transform(
        list_filter({tags}, lambda t: t.key not in ({left})),
        lambda t: to_json(t.key)::varchar || ':' || case
            when t.value is null then 'null'
            when t.type = 'bool' and t.value in ('true', 'false') then t.value
            when t.type = 'int64' and try_cast(t.value as bigint) is not null then t.value
            when t.type = 'float64' and isfinite(try_cast(t.value as double)) then t.value
            else to_json(t.value)::varchar
        end
    ), ','), '') || '}}'"""


def _tag(tags: str, *keys: str) -> str:
    """SQL for the value of the first of some tags."""
    found = (f"list_filter({tags}, lambda t: t.key = '{key}')[1]['value']" for key in keys)
    return f"coalesce({', '.join(found)}, null)"


_SPANS = f"""
with described as (
    select distinct
        lpad(lower(t.traceID), 32, '0') as trace_id,
        t.processes
    from (
        select unnest(from_json(line,
            '{{"data": [{{"traceID": "VARCHAR", "processes": "JSON"}}]}}').data) as t
        from line
        where json_valid(line)
    )
),
process as (
    select trace_id, process_id, from_json(
        json_extract(processes, '/' || replace(replace(process_id, '~', '~0'), '/', '~1')),
        '{{"serviceName": "VARCHAR",
            "tags": [{{"key": "VARCHAR", "type": "VARCHAR", "value": "VARCHAR"}}]}}'
    ) as process
    from (select trace_id, processes, unnest(json_keys(processes)) as process_id from described)
),
trace as (
    select unnest(document.data) as t
    from document
),
flat as (
    select unnest(t.spans, recursive := false) as s
    from trace
),
read as (
    select
        lpad(lower(s.traceID), greatest(32, length(s.traceID))::integer, '0') as trace_id,
        lpad(lower(s.spanID), greatest(16, length(s.spanID))::integer, '0') as span_id,
        nullif(lpad(lower(coalesce(
            list_filter(s.references, lambda r:
                r.refType = 'CHILD_OF' and r.traceID = s.traceID)[1].spanID,
            list_filter(s.references, lambda r: r.traceID = s.traceID)[1].spanID,
            nullif(s.parentSpanID, '')
        )), 16, '0'), repeat('0', 16)) as parent_span_id,
        list_filter(s.logs, lambda l: len(list_filter(l.fields, lambda f:
            f.key in ('exception.type', 'error.kind')
            or (f.key = 'event' and f.value in ('error', 'exception'))
        )) > 0)[-1].fields as exception,
        s
    from flat
)
select
    r.trace_id,
    r.span_id,
    r.parent_span_id,
    false as shared,
    nullif(s.operationName, '') as name,
    nullif(lower({_tag("s.tags", "span.kind")}), 'unspecified') as kind,
    try_cast(s.startTime as bigint) * 1000 as started,
    (try_cast(s.startTime as bigint) + try_cast(s.duration as bigint)) * 1000 as ended,
    coalesce(lower({_tag("s.tags", "error")}) = 'true', false)
        or coalesce({_tag("s.tags", "otel.status_code")} = 'ERROR', false) as failed,
    {_tag("s.tags", "otel.status_description")} as message,
    {_tag("exception", "exception.type", "error.kind")} as exception_type,
    {_tag("exception", "exception.message", "message", "error.object")} as exception_message,
    {_tag("s.tags", "w3c.tracestate")} as trace_state,
    {
    _members(
        "s.tags",
        without=(
            "span.kind",
            "error",
            "otel.status_code",
            "otel.status_description",
            "internal.span.format",
            "w3c.tracestate",
        ),
    )
} as attributes,
    coalesce(p.process.serviceName, s.process.serviceName) as service,
    {_members("coalesce(p.process.tags, s.process.tags)")} as resource,
    case
        when r.trace_id is null or r.span_id is null
            or not regexp_full_match(r.trace_id, '[0-9a-f]{{32}}')
            or not regexp_full_match(r.span_id, '[0-9a-f]{{16}}')
            or r.trace_id = repeat('0', 32) or r.span_id = repeat('0', 16) then '{NO_ID}'
        when coalesce(try_cast(s.startTime as bigint), 0) <= 0 then '{NO_TIME}'
        when coalesce(s.operationName, '') = '' then '{NO_NAME}'
    end as reason,
    case when reason is not null then left(to_json(s)::varchar, 65536) end as record
from read as r
left join process as p on p.trace_id = r.trace_id and p.process_id = r.s.processID
"""
