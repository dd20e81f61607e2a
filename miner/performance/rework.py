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
        "self_loops_by_others": pl.Int64(),
        "retries": pl.Int64(),
        "repeated_cases": pl.Int64(),
    }
)


def rework(log: EventLog) -> pl.DataFrame:
    """How often each activity was done again in a case, retries left out.

    Of the rework instances, *self-loops* come directly after the same activity and *loops* after
    others in between; `self_loops_by_others` were done by another resource than the time before.
    Both rates are given, with their own denominators: cases with rework / cases with the activity,
    and rework instances / instances. `retries` stands beside, because the engine trying again is
    no rework. `repeated_cases` counts the cases in which the activity occurs more than once for
    whatever reason; it is what pm4py calls rework.

    Returns `REWORK`, most rework instances first, then by name. An empty log gives no rows.

    Source: edeaR number_of_selfloops and number_of_repetitions; Power Automate rework metrics.
    """
    return log.query(_REWORK, REWORK)


# What is done n times in a case is rework n - 1 times, less the retries among them.
_REWORK = """
with variant_cases as (
    select variant_key, count(*) as cases
    from "case"
    group by variant_key
),
present as (
    select
        p.activity_key,
        sum(c.cases) as cases,
        sum(c.cases * p.times) as instances,
        coalesce(sum(c.cases) filter (where p.times > 1), 0) as repeated_cases
    from variant_activity as p
    join variant_cases as c using (variant_key)
    group by p.activity_key
),
retried_case as (
    select i.case_key, i.activity_key, count(*) as retries
    from activity_instance as i
    where i.retry
    group by i.case_key, i.activity_key
),
retried as (
    select
        r.activity_key,
        sum(r.retries) as retries,
        sum(least(r.retries, p.times - 1)) as repeats_by_retry,
        count(*) filter (where p.times > 1 and p.times - 1 <= r.retries) as cases_by_retry
    from retried_case as r
    join "case" as c using (case_key)
    join variant_activity as p on p.variant_key = c.variant_key and p.activity_key = r.activity_key
    group by r.activity_key
),
directly as (
    select
        activity_key,
        count(*) as times,
        count(*) filter (where resource_key <> next_resource_key) as by_others
    from activity_instance
    where activity_key = next_activity_key
    group by activity_key
),
directly_retried as (
    select
        r.activity_key,
        count(*) as times,
        count(*) filter (where p.resource_key <> p.next_resource_key) as by_others
    from activity_instance as r
    join activity_instance as p on p.case_key = r.case_key and p.number = r.number - 1
    where r.retry and p.activity_key = r.activity_key
    group by r.activity_key
),
counted as (
    select
        p.activity_key,
        p.cases,
        p.instances,
        p.repeated_cases,
        p.repeated_cases - coalesce(r.cases_by_retry, 0) as rework_cases,
        p.instances - p.cases - coalesce(r.repeats_by_retry, 0) as rework_instances,
        coalesce(d.times, 0) - coalesce(x.times, 0) as self_loops,
        coalesce(d.by_others, 0) - coalesce(x.by_others, 0) as self_loops_by_others,
        coalesce(r.retries, 0) as retries
    from present as p
    left join retried as r using (activity_key)
    left join directly as d using (activity_key)
    left join directly_retried as x using (activity_key)
)
select
    a.activity,
    c.cases,
    c.instances,
    c.rework_cases,
    c.rework_instances,
    c.rework_cases / c.cases as rework_rate_of_cases,
    c.rework_instances / c.instances as rework_rate_of_instances,
    c.self_loops,
    c.rework_instances - c.self_loops as loops,
    c.self_loops_by_others,
    case when k.failures or k.attempts then c.retries end as retries,
    c.repeated_cases
from counted as c
join activity as a using (activity_key)
cross join records as k
order by c.rework_instances desc, c.instances desc, a.activity
"""
