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
    """How often each activity was done again in a case, retries and interventions left out.

    Of the rework instances, *self-loops* come directly after the same activity and *loops* after
    others in between; `self_loops_by_others` were done by another resource than the time before.
    Both rates are given, with their own denominators: cases with rework / cases with the activity,
    and rework instances / instances. `retries` stands beside, because the engine trying again is
    no rework; neither is what a person ordered to be begun again, nor what was scheduled again and
    never begun. `repeated_cases` counts the cases in which the activity occurs more than once for
    whatever reason; it is what pm4py calls rework.

    Returns `REWORK`, most rework instances first, then by name. An empty log gives no rows.

    Source: edeaR number_of_selfloops and number_of_repetitions; Power Automate rework metrics.
    """
    return log.query(_REWORK, REWORK)


# What is done n times in a case is rework n - 1 times. Only the cases with something scheduled and
# not begun, tried again or ordered again are counted instance by instance, and set right.
_REWORK = """
with variant_cases as (
    select variant_key, count(*) as cases
    from "case"
    group by variant_key
),
done as (
    select activity_key, count(*) as instances
    from activity_instance
    group by activity_key
),
repeated as (
    select
        p.activity_key,
        sum(c.cases * (p.times - 1)) as repeats,
        sum(c.cases) as cases
    from repeated_activity as p
    join variant_cases as c using (variant_key)
    group by p.activity_key
),
present as (
    select
        activity_key,
        d.instances,
        d.instances - coalesce(r.repeats, 0) as cases,
        coalesce(r.cases, 0) as repeated_cases
    from done as d
    left join repeated as r using (activity_key)
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
odd_case as (
    select distinct case_key
    from activity_instance
    where repetition is not null or status = 'scheduled'
),
odd_instance as (
    select
        activity_key,
        case_key,
        repetition,
        repetition is null and status <> 'scheduled' as is_work,
        number > min(number) filter (where status <> 'scheduled') over same_activity as again,
        number = min(number) over same_activity as first,
        lag(activity_key) over in_case = activity_key as directly,
        lag(resource_key) over in_case <> resource_key as by_other
    from activity_instance
    semi join odd_case using (case_key)
    where case_key between (select min(case_key) from odd_case)
        and (select max(case_key) from odd_case)
    window
        same_activity as (partition by case_key, activity_key),
        in_case as (partition by case_key order by number)
),
odd as (
    select
        activity_key,
        count(*) filter (where repetition = 'retry') as retries,
        count(*) filter (where is_work and again) as rework_instances,
        count(distinct case_key) filter (where is_work and again) as rework_cases,
        count(*) filter (where is_work and again and directly) as self_loops,
        count(*) filter (where is_work and again and directly and by_other) as by_others,
        count(*) filter (where not first) as counted_instances,
        count(distinct case_key) filter (where not first) as counted_cases,
        count(*) filter (where directly) as counted_self_loops,
        count(*) filter (where directly and by_other) as counted_by_others
    from odd_instance
    group by activity_key
),
counted as (
    select
        p.activity_key,
        p.cases,
        p.instances,
        p.repeated_cases,
        p.repeated_cases + coalesce(o.rework_cases - o.counted_cases, 0) as rework_cases,
        p.instances - p.cases + coalesce(o.rework_instances - o.counted_instances, 0)
            as rework_instances,
        coalesce(d.times, 0) + coalesce(o.self_loops - o.counted_self_loops, 0) as self_loops,
        coalesce(d.by_others, 0) + coalesce(o.by_others - o.counted_by_others, 0)
            as self_loops_by_others,
        coalesce(o.retries, 0) as retries
    from present as p
    left join directly as d using (activity_key)
    left join odd as o using (activity_key)
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
