"""What of each case is held against a model: its trace, and the model it is held against.

A model says which work is done in which order. What an engine tried again is the same work, and
what it left out or only scheduled and what was cancelled was not done, so none of it is part of the
trace; what a person ordered to be done again is. Cases that still run are not judged: what they
lack may yet come.
"""

from __future__ import annotations

import polars as pl

from miner.conformance.workflows import Workflows
from miner.eventlog.log import EventLog

KEY = pl.Int64()

_UNDONE = "status in ('skipped', 'scheduled', 'cancelled')"

# A retry whose earlier attempts nobody recorded is all there is of the work.
_DONE = f"""
    select columns(*)
    from activity_instance
    semi join {{cases}} using (case_key)
    where not {_UNDONE}
    window earlier as (
        partition by case_key, activity_key
        order by number
        rows between unbounded preceding and 1 preceding
    )
    qualify repetition is distinct from 'retry'
        or coalesce(
            min(coalesce(attempt, 0)) over earlier >= attempt,
            count(*) over earlier = 0
        )
"""


def lay_traces(log: EventLog) -> int:
    """Lay the tables `traced` and `new_trace` of `log`; returns how many cases were traced anew.

    `traced` has case and trace of every case whose trace is not its variant; `new_trace` the
    traces that the store does not know.
    """
    log.lay("changed_case", _CHANGED)
    log.lay("retraced", _RETRACED)
    log.lay("new_trace", _NEW_TRACE)
    log.lay("traced", _TRACED)
    return int(log.row("select count(*) as cases from retraced")["cases"])


def lay_judged(log: EventLog, workflows: Workflows) -> None:
    """Lay the table `judged_case` of `log`: trace and model of every closed case that has one."""
    log.lay("workflow", workflows.scopes())
    log.lay("judged_case", _JUDGED)


# A case that no later load touched has the trace that is kept.
_CHANGED = """
select distinct case_key
from recorded_event
where load_id > coalesce((select max(load_id) from traced_load), -1)
"""

_RETRACED = f"""
with affected as (
    select distinct case_key
    from activity_instance
    semi join changed_case using (case_key)
    where repetition = 'retry' or {_UNDONE}
),
done as (
    select case_key, list(activity_key order by number) as activity_keys
    from ({_DONE.format(cases="affected")})
    group by case_key
)
select
    a.case_key,
    coalesce(d.activity_keys, []) as activity_keys,
    -1 - (md5_number(coalesce(d.activity_keys, [])::varchar) >> 66)::bigint as trace_key
from affected as a
left join done as d using (case_key)
"""

_NEW_TRACE = """
select trace_key, any_value(activity_keys) as activity_keys
from retraced
where trace_key not in (select trace_key from trace)
group by trace_key
"""

_TRACED = """
select case_key, trace_key
from traced_case
anti join changed_case using (case_key)
union all
select case_key, trace_key
from retraced
"""

_JUDGED = """
with named as (
    select
        c.case_key,
        coalesce(t.trace_key, c.variant_key) as trace_key,
        c.started_at,
        c.version_key,
        w.model
    from "case" as c
    left join traced as t using (case_key)
    left join process_version as v using (version_key)
    left join workflow as w on w.versions = 'this' and w.process_version = v.process_version
    where c.status <> 'running'
)
select n.case_key, n.trace_key, n.version_key, coalesce(n.model, w.model) as model
from named as n
left join workflow as w
    on n.model is null
    and (w.versions = 'any' or (w.versions = 'unknown' and n.version_key is null))
    and (w.valid_from is null or n.started_at >= w.valid_from)
    and (w.valid_until is null or n.started_at < w.valid_until)
"""

INSTANCES = f"""
select case_key, number as position, columns(* exclude (case_key))
from activity_instance
anti join traced using (case_key)
union all by name
select
    case_key,
    row_number() over (partition by case_key order by number) as position,
    columns(* exclude (case_key))
from ({_DONE.format(cases="traced")})
"""
"""The activity instances that traces consist of, with their position in the trace."""
