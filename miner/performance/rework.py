"""Rework: work that is done again."""

from __future__ import annotations

import polars as pl

from miner.eventlog.log import EventLog

REWORK = pl.Schema(
    {
        "activity": pl.String(),
        "cases": pl.Int64(),
        "instances": pl.Int64(),
        "rework_cases": pl.Int64(),
        "rework_instances": pl.Int64(),
        "rework_rate_of_cases": pl.Float64(),
        "rework_rate_of_instances": pl.Float64(),
        "self_loops": pl.Int64(),
        "loops": pl.Int64(),
        "redone_by_others": pl.Int64(),
        "retries": pl.Int64(),
        "repeated_cases": pl.Int64(),
    }
)


def rework(log: EventLog) -> pl.DataFrame:
    """How often each activity was done again in a case, retries left out.

    Of the rework instances, *self-loops* come directly after the same activity and *loops* after
    others in between; `redone_by_others` were done by another resource than the time before.
    Both rates are given, with their own denominators: cases with rework / cases with the activity,
    and rework instances / instances. `retries` stands beside, because the engine trying again is
    no rework. `repeated_cases` counts the cases in which the activity occurs more than once for
    whatever reason; it is what pm4py calls rework.

    Returns `REWORK`, most rework instances first, then by name. An empty log gives no rows.

    Source: edeaR number_of_selfloops and number_of_repetitions; Power Automate rework metrics.
    """
    return log.query(_REWORK, REWORK)


_REWORK = """
with variant_cases as (
    select variant_key, count(*) as cases
    from "case"
    group by variant_key
),
occurrence as (
    select
        v.variant_key,
        unnest(v.activity_keys) as activity_key
    from variant as v
    semi join variant_cases using (variant_key)
),
per_variant as (
    select variant_key, activity_key, count(*) as times
    from occurrence
    group by variant_key, activity_key
),
present as (
    select
        p.activity_key,
        sum(c.cases) as cases,
        sum(c.cases * p.times) as instances,
        coalesce(sum(c.cases) filter (where p.times > 1), 0) as repeated_cases
    from per_variant as p
    join variant_cases as c using (variant_key)
    group by p.activity_key
),
repeated as (
    select
        activity_key,
        count(*) filter (where rework) as rework_instances,
        count(distinct case_key) filter (where rework) as rework_cases,
        count(*) filter (where self_loop) as self_loops,
        count(*) filter (where redo) as redone_by_others,
        count(*) filter (where retry) as retries
    from activity_instance
    where rework or retry
    group by activity_key
)
select
    a.activity,
    p.cases,
    p.instances,
    coalesce(r.rework_cases, 0) as rework_cases,
    coalesce(r.rework_instances, 0) as rework_instances,
    coalesce(r.rework_cases, 0) / p.cases as rework_rate_of_cases,
    coalesce(r.rework_instances, 0) / p.instances as rework_rate_of_instances,
    coalesce(r.self_loops, 0) as self_loops,
    coalesce(r.rework_instances, 0) - coalesce(r.self_loops, 0) as loops,
    coalesce(r.redone_by_others, 0) as redone_by_others,
    case when k.failures or k.attempts then coalesce(r.retries, 0) end as retries,
    p.repeated_cases
from present as p
join activity as a using (activity_key)
left join repeated as r using (activity_key)
cross join records as k
order by rework_instances desc, p.instances desc, a.activity
"""
