"""The activities of a process, as the nodes of its map."""

from __future__ import annotations

import polars as pl

from miner.eventlog.log import EventLog
from miner.eventlog.schema import DURATION

ACTIVITIES = pl.Schema(
    {
        "activity": pl.String(),
        "frequency": pl.Int64(),
        "cases": pl.Int64(),
        "failed": pl.Int64(),
        "median_service": DURATION,
        "median_waiting": DURATION,
    }
)


def activities(log: EventLog) -> pl.DataFrame:
    """How often each activity was done, in how many cases, how often it failed, how long it took.

    `failed` counts failed and timed-out instances and is null in a log that records no failures;
    the times are null where the log has no starts. Medians are exact.

    Returns `ACTIVITIES`, most frequent first, then by name. An empty log gives no rows.
    """
    return log.query(
        """
        with variant_cases as (
            select variant_key, count(*) as cases
            from "case"
            group by variant_key
        ),
        repeated as (
            select v.activity_key, sum(c.cases * (v.times - 1)) as repeats
            from repeated_activity as v
            join variant_cases as c using (variant_key)
            group by v.activity_key
        ),
        done as (
            select
                activity_key,
                count(*) as frequency,
                count(*) filter (where status in ('failed', 'timed_out')) as failed,
                quantile_cont(service_time, 0.5) as service,
                quantile_cont(waiting_time, 0.5) as waiting
            from activity_instance
            group by activity_key
        )
        select
            a.activity,
            d.frequency,
            d.frequency - coalesce(p.repeats, 0) as cases,
            case when r.failures then d.failed end as failed,
            round(d.service)::bigint as median_service,
            round(d.waiting)::bigint as median_waiting
        from done as d
        left join repeated as p using (activity_key)
        join activity as a using (activity_key)
        cross join records as r
        order by d.frequency desc, a.activity
        """,
        ACTIVITIES,
    )
