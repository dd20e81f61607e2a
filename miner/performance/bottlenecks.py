"""Bottlenecks: the activities and hand-overs that cases wait for."""

from __future__ import annotations

import polars as pl

from miner.eventlog.log import EventLog
from miner.eventlog.schema import DURATION

BOTTLENECKS = pl.Schema(
    {
        "activity": pl.String(),
        "previous_activity": pl.String(),
        "cases": pl.Int64(),
        "frequency": pl.Int64(),
        "total_waiting": DURATION,
        "total_sojourn": DURATION,
        "median": DURATION,
        "share_of_cycle_time": pl.Float64(),
        "measured": pl.String(),
    }
)


def bottlenecks(log: EventLog) -> pl.DataFrame:
    """Activities, and hand-overs from one activity to the next, by the waiting they add in all.

    Rows with `previous_activity` null are activities: the sum of the waiting times of their
    instances. The others are hand-overs: the sum of the times from the completion of the one to
    the start of the other; overlaps add nothing. `share_of_cycle_time` is of the cycle times of
    all cases together; parallel waiting counts on each branch, so shares need not add up to one.

    Where the log records no starts, waiting and service cannot be told apart: `total_waiting` is
    null, `total_sojourn` holds the time from completion to completion, `measured` says "sojourn",
    and the share is of that. The first activity of a case waits for nothing the log knows.

    Returns `BOTTLENECKS`, most time first, activities before hand-overs where equal. An empty log
    gives no rows.

    Source: Dumas et al., Fundamentals of Business Process Management, 2nd ed. (2018), ch. 7.
    """
    return log.query(_BOTTLENECKS, BOTTLENECKS)


_BOTTLENECKS = """
with total as (
    select sum(cycle_time) as cycle_time
    from "case"
),
variant_cases as (
    select variant_key, count(*) as cases
    from "case"
    group by variant_key
),
repeated_handover as (
    select p.activity_key, p.next_activity_key, sum(v.cases * (p.times - 1)) as repeats
    from repeated_path as p
    join variant_cases as v using (variant_key)
    group by p.activity_key, p.next_activity_key
),
repeated as (
    select a.activity_key, sum(v.cases * (a.times - 1)) as repeats
    from repeated_activity as a
    join variant_cases as v using (variant_key)
    group by a.activity_key
),
packed_handover as (
    select
        (activity_key::bigint << 24) | next_activity_key as packed,
        count(*) as frequency,
        sum(next_time) as time,
        quantile_cont(next_time, 0.5) as median
    from activity_instance
    where next_activity_key is not null
    group by packed
),
handover as (
    select
        (packed >> 24)::integer as previous_activity_key,
        (packed & 16777215)::integer as activity_key,
        frequency,
        time,
        median
    from packed_handover
),
entered as (
    select activity_key, frequency
    from handover
    union all
    select first_activity_key, count(*)
    from "case"
    where first_activity_key is not null
    group by first_activity_key
),
activity_cases as (
    select activity_key, sum(frequency) - coalesce(any_value(repeats), 0) as cases
    from entered
    left join repeated using (activity_key)
    group by activity_key
),
waited as (
    select
        activity_key,
        count(*) as frequency,
        sum(waiting_time) as time,
        quantile_cont(waiting_time, 0.5) as median
    from activity_instance
    where waiting_time is not null and (select starts from records)
    group by activity_key
),
between_completions as (
    select activity_key, sum(frequency) as frequency, sum(time) as time, null::double as median
    from handover
    group by activity_key
),
found as (
    select
        h.activity_key,
        h.previous_activity_key,
        h.frequency - coalesce(p.repeats, 0) as cases,
        h.frequency,
        h.time,
        h.median
    from handover as h
    left join repeated_handover as p
        on p.activity_key = h.previous_activity_key and p.next_activity_key = h.activity_key
    union all
    select w.activity_key, null, a.cases, w.frequency, w.time, w.median
    from waited as w
    join activity_cases as a using (activity_key)
    union all
    select b.activity_key, null, a.cases, b.frequency, b.time, b.median
    from between_completions as b
    join activity_cases as a using (activity_key)
    where not (select starts from records)
)
select
    a.activity,
    p.activity as previous_activity,
    f.cases,
    f.frequency,
    case when r.starts then f.time end::bigint as total_waiting,
    case when not r.starts then f.time end::bigint as total_sojourn,
    round(f.median)::bigint as median,
    f.time / nullif(t.cycle_time, 0) as share_of_cycle_time,
    case when r.starts then 'waiting' else 'sojourn' end as measured
from found as f
join activity as a on a.activity_key = f.activity_key
left join activity as p on p.activity_key = f.previous_activity_key
cross join total as t
cross join records as r
where f.time is not null
order by f.time desc, p.activity nulls first, a.activity
"""
