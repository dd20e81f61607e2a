"""From spans to events: what was done, when, by whom, how it ended, and what is missing."""

from __future__ import annotations

from dataclasses import dataclass, field

import duckdb
import polars as pl

from ingest.otlp.cases import place
from ingest.otlp.names import activity_of
from ingest.otlp.words import translate
from ingest.sql import literal

CASES = (
    "temporalWorkflowID",  # the interceptors of Temporal
    "durabletask.task.instance_id",  # Durable Task, Dapr workflows
    "correlation.id",  # MuleSoft
)
"""Attributes that hold the id of a run, in order, when none is named."""

ATTEMPTS = (
    "attempt",
    "retry.attempt",
    "airflow.task_instance.try_number",
    "try_number",
)
"""Attributes that count attempts from 1, in order."""


@dataclass(frozen=True)
class Reading:
    """What a person decides about turning spans into events."""

    case: str | None = None
    """Attributes that hold the id of the run, with commas between; null: those of `CASES`."""
    workflow: str | None = None
    """What tells processes apart: `root`, `service` or an attribute; null: nothing does."""
    raw_names: bool = False
    """Whether names of spans are activities as they are."""

    @property
    def cases(self) -> tuple[str, ...]:
        """The attributes that hold the id of the run."""
        if self.case is None:
            return CASES
        return tuple(name for name in (part.strip() for part in self.case.split(",")) if name)


def events_of(spans: pl.DataFrame, reading: Reading) -> pl.DataFrame:
    """The events of spans, which have the columns of `SPAN`.

    Two per span that ended: its start and its end; one per span that did not. A span that is there
    twice counts once. Whatever depends on other spans of the trace is decided by those given. Rows
    with a reason come through as they are.
    """
    connection = duckdb.connect()
    try:
        connection.execute("set threads = 1")
        connection.register("given", spans)
        prepare(connection, "given", reading)
        events: pl.DataFrame = connection.sql(EVENTS).pl()
        return events
    finally:
        connection.close()


def prepare(connection: duckdb.DuckDBPyConnection, table: str, reading: Reading) -> None:
    """Make the tables that `EVENTS` selects from, of spans in a table of `connection`."""
    ((repeated,),) = connection.execute(_REPEATED.format(table=table)).fetchall()
    connection.execute(_span_facts(table, reading) + (_ONCE if repeated else ""))
    connection.execute(
        "create or replace temp table refused as "
        f"select reason, record from {table} where reason is not null"
    )
    if reading.raw_names:
        connection.execute("alter table span add column activity varchar")
        connection.execute("update span set activity = called")
    else:
        translate(connection, "span", "called", activity_of, to="activity")
    place(connection, _process(reading), translated=reading.workflow == "root")


def _process(reading: Reading) -> str:
    """SQL for the process of a case, from the columns of the span that it starts with."""
    if reading.workflow is None:
        return "null::varchar"
    known = {"root": "coalesce(dag, called)", "service": "service"}
    return known.get(reading.workflow, "chosen")


@dataclass
class _Facts:
    """Attributes that mean something, each taken out of its span once."""

    names: list[str] = field(default_factory=list)

    def first_of(self, *wanted: str) -> str:
        """SQL for the first of some attributes that a span has."""
        self.names += [name for name in wanted if name not in self.names]
        places = ", ".join(f"fact[{self.names.index(name) + 1}]" for name in wanted)
        return f"coalesce({places}, null)"


def _span_facts(table: str, reading: Reading) -> str:
    """The statement that takes the attributes that mean something out of the spans."""
    first_of = (facts := _Facts()).first_of
    chosen = [] if reading.workflow in (None, "root", "service") else [str(reading.workflow)]
    columns = {
        "own_case": f"coalesce(nullif({first_of(*reading.cases)}, ''), case_of_resource)",
        "chosen": first_of(*chosen) if chosen else "null::varchar",
        "counted": f"coalesce(try_cast({first_of(*ATTEMPTS)} as integer), "
        f"try_cast({first_of('http.request.resend_count')} as integer) + 1)",
        "error": _ERROR.format(
            type=first_of("error.type", "exception.type"),
            http=first_of("http.response.status_code", "http.status_code"),
            grpc=first_of("rpc.grpc.status_code"),
        ),
        "said": f"coalesce(exception_message, message, {first_of('exception.message')})",
        "called": _CALLED.format(
            method=first_of("http.request.method", "http.method"),
            route=first_of("http.route", "url.template"),
        ),
        "dag": first_of("airflow.dag_id"),
        "sampled": _SAMPLED.format(type=first_of("sampler.type"), share=first_of("sampler.param")),
    }
    return _SPANS.format(
        table=table,
        pointers=_pointers(facts.names),
        of_resource=_pointers(reading.cases),
        columns=",\n    ".join(f"{sql} as {name}" for name, sql in columns.items()),
    )


def _pointers(names: list[str] | tuple[str, ...]) -> str:
    """JSON pointers (RFC 6901) to members of an object, as a list in SQL."""
    escaped = ("/" + name.replace("~", "~0").replace("/", "~1") for name in names)
    return "[" + ", ".join(map(literal, escaped)) + "]"


_ERROR = """case when failed then
        coalesce(exception_type, {type}, 'HTTP ' || {http}, 'gRPC ' || {grpc})
    end"""

# A span of HTTP that is named after its method alone: what was called is its route.
_CALLED = """case
        when upper(name) in ('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS')
            or upper(name) = 'HTTP ' || upper({method})
            then coalesce(name || ' ' || {route}, name)
        else name
    end"""

# Some tracers that sample say so beside the spans that they kept.
_SAMPLED = """coalesce({type} = 'probabilistic' and try_cast({share} as double) < 1, false)
        or coalesce({type} in ('ratelimiting', 'lowerbound'), false)
        or coalesce(regexp_matches(
            trace_state,
            '(^|,)ot=([^,]*;)?(th:[0-9a-f]*[1-9a-f]|p:([1-9]|[1-5][0-9]|6[0-2])($|[,;]))'
        ), false)"""

_SPANS = """
create or replace temp table span as
select
    trace_id,
    span_id,
    parent_span_id,
    coalesce(shared, false) as shared,
    name,
    kind,
    started,
    ended,
    failed,
    attributes,
    service,
    version,
    instance,
    {columns}
from (
    select
        columns(g.*),
        r.version,
        r.instance,
        r.case_of_resource,
        json_extract_string(g.attributes, {pointers}) as fact
    from {table} as g
    left join (
        select
            resource,
            nullif(json_extract_string(resource, '/service.version'), '') as version,
            nullif(json_extract_string(resource, '/service.instance.id'), '') as instance,
            list_filter(
                json_extract_string(resource, {of_resource}), lambda x: x is not null
            )[1] as case_of_resource
        from (select distinct resource from {table} where reason is null)
    ) as r on r.resource = g.resource
    where g.reason is null
)
"""

# Most exporters send a span once; to look for others is cheaper than to sort all.
_REPEATED = """
select count(*) > count(distinct hash(trace_id, span_id, shared))
from {table}
where reason is null
"""

_ONCE = """
qualify row_number() over (
    partition by trace_id, span_id, shared order by ended desc nulls last, started
) = 1
"""

EVENTS = """
with described as (
    select
        columns(*),
        trace_id || ':' || span_id || case when shared then ':server' else '' end as instance_id,
        concat_ws(',',
            '"span.kind":"' || kind || '"',
            case when name <> activity then '"span.name":' || to_json(name)::varchar end,
            case when case_id <> trace_id then '"trace.id":"' || trace_id || '"' end,
            '"service.instance.id":' || to_json(instance)::varchar,
            case when orphan then '"span.parent":"missing"' end,
            '"span.skew_us":' || case when started < parent_started
                then (parent_started - started) // 1000 end,
            case when sampled then '"span.sampled":true' end,
            nullif(substr(attributes, 2, length(attributes) - 2), '')
        ) as members,
        case
            when not failed then 'complete'
            when regexp_matches(error, '(?i)time[d_ ]?-?out|deadline|^HTTP (408|504)$|^gRPC 4$')
                then 'timeout'
            when regexp_matches(error, '(?i)cancell?ed|^gRPC 1$') then 'cancel'
            else 'fail'
        end as ending
    from placed
)
select
    process,
    case_id,
    instance_id || ':' || t.word as event_id,
    activity,
    instance_id,
    case when t.word = 'start' then 'start' else ending end as lifecycle,
    make_timestamp(case when t.word = 'start' then started else ended end // 1000) as timestamp,
    case when t.word = 'start' then started else ended end as position,
    attempt,
    service as resource,
    case when service is not null then 'system' end as resource_kind,
    case when t.word = 'end' then error end as error_type,
    case when t.word = 'end' and failed then said end as error_message,
    version as process_version,
    case when (t.word = 'end' or ended is null) and members <> '' then '{' || members || '}' end
        as attributes,
    case when t.word = 'start' then parent_case_id end as parent_case_id,
    case when t.word = 'end' then case_status end as case_status,
    null::varchar as reason,
    null::varchar as record
from described
cross join (values ('start'), ('end')) as t(word)
where t.word = 'start' or ended is not null
union all
select
    null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
    null, reason, record
from refused
"""
"""The events of the spans that `prepare` placed, and what was refused: columns of `BATCH`."""
