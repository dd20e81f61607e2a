"""Failures: what fails, how often, and how it recovers."""

from __future__ import annotations

import polars as pl

from miner.eventlog.log import EventLog
from miner.eventlog.schema import DURATION

FAILURES = pl.Schema(
    {
        "activity": pl.String(),
        "attempts": pl.Int64(),
        "failed_attempts": pl.Int64(),
        "failure_rate": pl.Float64(),
        "retries": pl.Int64(),
        "episodes": pl.Int64(),
        "recovered": pl.Int64(),
        "median_recovery": DURATION,
        "mean_recovery": DURATION,
        "top_error": pl.String(),
    }
)

ERRORS = pl.Schema(
    {
        "activity": pl.String(),
        "error_type": pl.String(),
        "failed_attempts": pl.Int64(),
        "cases": pl.Int64(),
    }
)


def failures(log: EventLog) -> pl.DataFrame:
    """Failed attempts, retries and recovery per activity.

    An *attempt* is an activity instance that ended and was not skipped; it *failed* when it failed
    or timed out. `failure_rate` = failed attempts / attempts. A *retry* is an attempt after the
    first. A failure *episode* runs from the first failed attempt of an activity in a case to the
    first success of the same activity after it; `recovered` counts those that reached it, and
    recovery times are theirs: from the first failure to that success. Episodes without success
    are censored. `top_error` is the most frequent error type.

    Returns `FAILURES`, most failed attempts first, then by name. In a log that records no failures
    all but the attempts are null. An empty log gives no rows.

    Source: the definitions of this project; MTTR as mean of failure episodes.
    """
    return log.query(_FAILURES, FAILURES)


def error_types(log: EventLog) -> pl.DataFrame:
    """How often each type of error occurred in each activity; null where no type is known.

    Returns `ERRORS`, most failed attempts first. A log without failures gives no rows.
    """
    return log.query(
        """
        select
            a.activity,
            e.error_type,
            count(*) as failed_attempts,
            count(distinct i.case_key) as cases
        from activity_instance as i
        join activity as a using (activity_key)
        left join error as e using (error_key)
        where i.status in ('failed', 'timed_out')
        group by a.activity, e.error_type
        order by failed_attempts desc, a.activity, e.error_type nulls last
        """,
        ERRORS,
    )


_FAILURES = """
with counted as (
    select activity_key, status, repetition, count(*) as instances
    from activity_instance
    group by activity_key, status, repetition
),
attempted as (
    select
        activity_key,
        coalesce(sum(instances) filter (
            where status in ('completed', 'failed', 'timed_out', 'cancelled')
        ), 0) as attempts,
        coalesce(sum(instances) filter (where status in ('failed', 'timed_out')), 0)
            as failed_attempts,
        coalesce(sum(instances) filter (where repetition = 'retry'), 0) as retries
    from counted
    group by activity_key
),
failing as (
    select distinct case_key, activity_key
    from activity_instance
    where status in ('failed', 'timed_out')
),
attempt as (
    select
        case_key,
        activity_key,
        number,
        completed_at,
        status in ('failed', 'timed_out') as failed,
        count(*) filter (where status = 'completed') over (
            partition by case_key, activity_key order by number
            rows between unbounded preceding and 1 preceding
        ) as successes_before
    from activity_instance
    semi join failing using (case_key, activity_key)
    where status in ('completed', 'failed', 'timed_out')
        and case_key between (select min(case_key) from failing)
            and (select max(case_key) from failing)
),
episode as (
    select
        activity_key,
        min(completed_at) filter (where failed) as failed_at,
        max(completed_at) filter (where not failed) as recovered_at
    from attempt
    group by case_key, activity_key, successes_before
    having count(*) filter (where failed) > 0
),
recovery as (
    select
        activity_key,
        count(*) as episodes,
        count(recovered_at) as recovered,
        quantile_cont(epoch_us(recovered_at) - epoch_us(failed_at), 0.5) as median,
        avg(epoch_us(recovered_at) - epoch_us(failed_at)) as mean
    from episode
    group by activity_key
),
ranked as (
    select i.activity_key, e.error_type
    from activity_instance as i
    join error as e using (error_key)
    where i.status in ('failed', 'timed_out')
    group by i.activity_key, e.error_type
    qualify row_number() over (
        partition by i.activity_key order by count(*) desc, e.error_type
    ) = 1
)
select
    a.activity,
    t.attempts,
    case when r.failures then t.failed_attempts end as failed_attempts,
    case when r.failures then t.failed_attempts / nullif(t.attempts, 0) end as failure_rate,
    case when r.failures or r.attempts then t.retries end as retries,
    case when r.failures then coalesce(v.episodes, 0) end as episodes,
    case when r.failures then coalesce(v.recovered, 0) end as recovered,
    round(v.median)::bigint as median_recovery,
    round(v.mean)::bigint as mean_recovery,
    x.error_type as top_error
from attempted as t
join activity as a using (activity_key)
left join recovery as v using (activity_key)
left join ranked as x using (activity_key)
cross join records as r
order by t.failed_attempts desc, t.attempts desc, a.activity
"""
