"""Traces as Zipkin's API version 2 gives them: arrays of spans."""

from __future__ import annotations

import json

import duckdb
import polars as pl

from ingest.otlp.spans import NO_ID, NO_NAME, NO_TIME, SPAN

_SHAPE = json.dumps(
    [
        {
            **dict.fromkeys(
                ("traceId", "id", "parentId", "kind", "name", "timestamp", "duration", "shared"),
                "VARCHAR",
            ),
            "localEndpoint": {"serviceName": "VARCHAR"},
            "tags": "JSON",
        }
    ]
)


def spans_of_zipkin(lines: pl.Series) -> pl.DataFrame:
    """The spans in arrays of Zipkin, one array per line, with the columns of `SPAN`."""
    connection = duckdb.connect()
    try:
        connection.execute("set threads = 1")
        connection.register("line", pl.DataFrame({"line": lines}))
        found: pl.DataFrame = connection.sql(_SPANS, params={"shape": _SHAPE}).pl()
    finally:
        connection.close()
    return found.cast(SPAN).select(list(SPAN))


# A server may write its half of a span under the id of the client's, and marks it as shared; its
# parent is then the client's half. A span with a tag `error` failed, whatever the tag says.
_SPANS = f"""
with flat as (
    select unnest(from_json(line, $shape), recursive := false) as s
    from line
    where json_valid(line)
),
read as (
    select
        lpad(lower(s.traceId), greatest(32, length(s.traceId))::integer, '0') as trace_id,
        lpad(lower(s.id), greatest(16, length(s.id))::integer, '0') as span_id,
        coalesce(s.shared = 'true', false) as shared,
        json_extract_string(s.tags, '/error') as error,
        s
    from flat
)
select
    r.trace_id,
    r.span_id,
    case when c.span_id is not null then c.span_id
        when s.parentId <> '' then lpad(lower(s.parentId), 16, '0') end as parent_span_id,
    shared,
    nullif(s.name, '') as name,
    lower(s.kind) as kind,
    try_cast(s."timestamp" as bigint) * 1000 as started,
    (try_cast(s."timestamp" as bigint) + try_cast(s.duration as bigint)) * 1000 as ended,
    error is not null as failed,
    nullif(error, 'true') as message,
    null as exception_type,
    null as exception_message,
    null as trace_state,
    coalesce(case when json_type(s.tags) = 'OBJECT' then s.tags::varchar end, '{{}}') as attributes,
    nullif(s.localEndpoint.serviceName, '') as service,
    '{{}}' as resource,
    case
        when r.trace_id is null or r.span_id is null
            or not regexp_full_match(r.trace_id, '[0-9a-f]{{32}}')
            or not regexp_full_match(r.span_id, '[0-9a-f]{{16}}')
            or r.trace_id = repeat('0', 32) or r.span_id = repeat('0', 16) then '{NO_ID}'
        when coalesce(try_cast(s."timestamp" as bigint), 0) <= 0 then '{NO_TIME}'
        when coalesce(s.name, '') = '' then '{NO_NAME}'
    end as reason,
    case when reason is not null then left(to_json(s)::varchar, 65536) end as record
from read as r
left join (select distinct trace_id, span_id from read where not shared) as c
    on r.shared and c.trace_id = r.trace_id and c.span_id = r.span_id
"""
