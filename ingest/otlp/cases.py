"""Which case and process a span belongs to, how the case ended, and which attempt a span was."""

from __future__ import annotations

import duckdb

from ingest.otlp.names import workflow_of
from ingest.otlp.words import translate


def place(connection: duckdb.DuckDBPyConnection, process: str, *, translated: bool) -> None:
    """Make the table `placed` from `span`: the same spans with their case, attempt and verdict.

    `process` is SQL for the process of a case, from the columns of the span that it starts with;
    `translated` says that this is the name of a span, which becomes that of a workflow.
    """
    connection.execute(_LINKED)
    connection.execute(_TRACE_CASES)
    connection.execute(_CASED)
    ((several,),) = connection.execute(
        "select exists (select 1 from trace_case where cases > 1)"
    ).fetchall()
    if several:
        # A step down the traces at a time, where one trace has several cases.
        while connection.execute(_INHERITED).fetchall() != [(0,)]:
            pass
        connection.execute(_LEFT_OVER)
    connection.execute(_TOPS)
    connection.execute(_ENTRIES.format(process=process))
    if translated:
        translate(connection, "entry", "workflow", workflow_of)
    connection.execute(_VERDICTS)
    connection.execute(_AGAIN)
    connection.execute(_PLACED)


_LINKED = """
create or replace temp table linked as
select
    columns(s.*),
    p.started as parent_started,
    p.kind as parent_kind,
    p.span_id is not null and p.parent_span_id is null as below_root,
    s.parent_span_id is not null and p.span_id is null as orphan
from span as s
left join (
    select
        trace_id,
        span_id,
        arg_min(started, (shared, started)) as started,
        arg_min(kind, (shared, started)) as kind,
        min(parent_span_id) as parent_span_id
    from span
    group by trace_id, span_id
) as p on p.trace_id = s.trace_id and p.span_id = s.parent_span_id
"""

_TRACE_CASES = """
create or replace temp table trace_case as
select
    trace_id,
    count(distinct own_case) as cases,
    arg_min(own_case, started) as first_case,
    max(ended) as last_ended
from linked
group by trace_id
"""

_CASED = """
create or replace temp table cased as
select
    columns(l.*),
    coalesce(
        l.own_case, case when t.cases < 2 then coalesce(t.first_case, l.trace_id) end
    ) as case_id,
    t.last_ended
from linked as l
join trace_case as t on t.trace_id = l.trace_id
"""

_INHERITED = """
update cased
set case_id = above.case_id
from (
    select trace_id, span_id, min(case_id) as case_id
    from cased
    where case_id is not null
    group by trace_id, span_id
) as above
where cased.case_id is null
    and above.trace_id = cased.trace_id
    and above.span_id = cased.parent_span_id
"""

_LEFT_OVER = """
update cased
set case_id = t.first_case
from trace_case as t
where cased.case_id is null and t.trace_id = cased.trace_id
"""

# A case begins with those of its spans that no span of the same case is above.
_TOPS = """
create or replace temp table top as
select
    columns(c.*),
    case
        when c.parent_span_id is null then 0
        when c.orphan then 2
        else 1
    end as how,
    p.case_id as case_above
from cased as c
left join (
    select trace_id, span_id, min(case_id) as case_id
    from cased
    where trace_id in (select trace_id from trace_case where cases > 1)
    group by trace_id, span_id
) as p on p.trace_id = c.trace_id and p.span_id = c.parent_span_id
where c.parent_span_id is null or c.orphan or p.case_id <> c.case_id
"""

_ENTRIES = """
create or replace temp table entry as
select
    case_id,
    arg_min({process}, (how, started, span_id)) as workflow,
    arg_min(case_above, started) filter (where case_above <> case_id) as parent_case_id
from top
group by case_id
"""

# Who did the work can tell how it ended, who only asked for it cannot; nor can a span that ended
# while others of its trace went on, unless it failed.
_VERDICTS = """
create or replace temp table verdict as
with told as (
    select case_id, trace_id, span_id, shared, failed, ended, last_ended, how
    from top
    where how < 2 and coalesce(kind, '') not in ('client', 'producer')
    union
    select case_id, trace_id, span_id, shared, failed, ended, last_ended, 0 as how
    from cased
    where kind in ('server', 'consumer') and below_root and parent_kind in ('client', 'producer')
)
select
    trace_id,
    span_id,
    shared,
    arg_max(
        case when failed then 'failed' when ended >= last_ended or how = 1 then 'completed' end,
        (ended, span_id)
    ) over (partition by case_id) as case_status
from told
where ended is not null
"""

_AGAIN = """
create or replace temp table again as
with failing as (
    select distinct case_id, parent_span_id, called
    from cased
    where failed
),
sibling as (
    select
        trace_id, span_id, shared, case_id, parent_span_id, called, service, started,
        lag(failed) over before and lag(ended) over before <= started as follows_failure
    from cased
    semi join failing
        on failing.case_id = cased.case_id
        and failing.called = cased.called
        and failing.parent_span_id is not distinct from cased.parent_span_id
    window before as (
        partition by case_id, parent_span_id, called, service, shared
        order by started, span_id
    )
),
streak as (
    select
        columns(*),
        count(*) filter (where not coalesce(follows_failure, false)) over (
            partition by case_id, parent_span_id, called, service, shared
            order by started, span_id
            rows unbounded preceding
        ) as streak
    from sibling
)
select
    trace_id,
    span_id,
    shared,
    row_number() over (
        partition by case_id, parent_span_id, called, service, shared, streak
        order by started, span_id
    ) as attempt
from streak
"""

_PLACED = """
create or replace temp table placed as
select
    columns(c.*),
    e.workflow as process,
    e.parent_case_id,
    v.case_status,
    coalesce(case when c.counted > 0 then c.counted end, a.attempt, 1)::integer as attempt
from cased as c
left join entry as e on e.case_id = c.case_id
left join verdict as v
    on v.trace_id = c.trace_id and v.span_id = c.span_id and v.shared = c.shared
left join again as a
    on a.trace_id = c.trace_id and a.span_id = c.span_id and a.shared = c.shared
"""
