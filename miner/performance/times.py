"""Where the time goes: cycle, waiting, service and sojourn time."""

from __future__ import annotations

import polars as pl

from miner.eventlog.log import EventLog
from miner.eventlog.schema import DURATION, INSTANT

CASE_TIMES = pl.Schema(
    {
        "case_id": pl.String(),
        "status": pl.String(),
        "started_at": INSTANT,
        "completed_at": INSTANT,
        "cycle_time": DURATION,
        "processing_time": DURATION,
        "idle_time": DURATION,
        "events": pl.Int64(),
    }
)

ACTIVITY_TIMES = pl.Schema(
    {
        "activity": pl.String(),
        "instances": pl.Int64(),
        "median_waiting": DURATION,
        "p95_waiting": DURATION,
        "median_service": DURATION,
        "p95_service": DURATION,
        "median_sojourn": DURATION,
        "mean_service": DURATION,
        "total_service": DURATION,
        "median_queue": DURATION,
        "timed_instances": pl.Int64(),
    }
)

RESOURCE_TIMES = pl.Schema(
    {
        "resource": pl.String(),
        "resource_kind": pl.String(),
        "instances": pl.Int64(),
        "mean_service": DURATION,
        "median_service": DURATION,
        "failed_instances": pl.Int64(),
    }
)

RESOURCE_IDLE_TIMES = pl.Schema(
    {"resource": pl.String(), "resource_kind": pl.String(), "idle_time": DURATION}
)

CYCLE_TIME_DISTRIBUTION = pl.Schema({"low": DURATION, "high": DURATION, "cases": pl.Int64()})


def case_times(log: EventLog, *, limit: int | None = None) -> pl.DataFrame:
    """Cycle, processing and idle time of each case.

    *Cycle time* runs from the first event to the last, waiting included (throughput time, lead
    time; not the lean "cycle time" of pm4py.get_cycle_time). *Processing time* sums the known
    service times. *Idle time* is the part of the cycle time in which no activity was running: the
    union of the instances' intervals is taken away, so work side by side counts once. In a log
    that records no starts both are null; in one that does, an instance without a start took no
    time that anybody measured and adds none.

    Returns `CASE_TIMES`, longest cycle time first, at most `limit` rows; cases still running count
    up to their last event and are marked by their status. An empty log gives no rows.

    Source: edeaR, throughput_time, processing_time, idle_time; Dumas et al., Fundamentals of
    Business Process Management, 2nd ed. (2018), ch. 7.
    """
    return log.query(
        """
        select
            i.case_id,
            c.status::varchar as status,
            c.started_at,
            c.completed_at,
            c.cycle_time,
            case when t.starts then coalesce(c.processing_time, 0) end as processing_time,
            case when t.starts then c.cycle_time - coalesce(c.active_time, 0) end as idle_time,
            c.events
        from "case" as c
        join case_identity as i using (case_key)
        cross join records as t
        order by c.cycle_time desc, i.case_id
        limit $limit
        """,
        CASE_TIMES,
        limit=limit,
    )


def activity_times(log: EventLog) -> pl.DataFrame:
    """Waiting, service and sojourn time per activity, over its completed instances.

    *Service time* (processing time) runs from the start to the completion of an instance, less the
    time it was suspended. *Waiting time* runs from the last completion before it in the same case
    to its start; work that overlaps has not waited. *Sojourn time* is both. *Queue time* runs from
    being scheduled to the start. Where the log has no start all are null: unknown is not zero;
    `timed_instances` says how many had one. The first instance of a case has no waiting time,
    because the log does not say when the case became ready. Percentiles are exact.

    Returns `ACTIVITY_TIMES`, most total service time first, then by name. An empty log gives no
    rows.

    Source: Dumas et al., Fundamentals of Business Process Management, 2nd ed. (2018), ch. 7.
    """
    return log.query(
        """
        with timed as (
            select
                activity_key,
                count(*) as instances,
                quantile_cont(waiting_time, [0.5, 0.95]) as waiting,
                quantile_cont(service_time, [0.5, 0.95]) as service,
                quantile_cont(waiting_time + service_time, 0.5) as sojourn,
                avg(service_time) as mean_service,
                sum(service_time) as total_service,
                quantile_cont(epoch_us(started_at) - epoch_us(scheduled_at), 0.5) as queue,
                count(service_time) as timed_instances
            from activity_instance
            where completed_at is not null
            group by activity_key
        )
        select
            a.activity,
            t.instances,
            round(t.waiting[1])::bigint as median_waiting,
            round(t.waiting[2])::bigint as p95_waiting,
            round(t.service[1])::bigint as median_service,
            round(t.service[2])::bigint as p95_service,
            round(t.sojourn)::bigint as median_sojourn,
            round(t.mean_service)::bigint as mean_service,
            t.total_service::bigint as total_service,
            round(t.queue)::bigint as median_queue,
            t.timed_instances
        from timed as t
        join activity as a using (activity_key)
        order by t.total_service desc nulls last, t.instances desc, a.activity
        """,
        ACTIVITY_TIMES,
    )


def resource_times(log: EventLog) -> pl.DataFrame:
    """How much each resource did, and how long it took.

    The service times are null where the log has no starts for it, the failed instances in a log
    that records no failures.

    Returns `RESOURCE_TIMES`, most instances first, then by name; instances without a resource are
    left out. An empty log gives no rows.

    Source: edeaR, processing_time at the level of resources.
    """
    return log.query(
        """
        with done as (
            select
                resource_key,
                count(*) as instances,
                avg(service_time) as mean_service,
                quantile_cont(service_time, 0.5) as median_service,
                count(*) filter (where status in ('failed', 'timed_out')) as failed_instances
            from activity_instance
            where resource_key is not null
            group by resource_key
        )
        select
            r.resource,
            r.resource_kind,
            d.instances,
            round(d.mean_service)::bigint as mean_service,
            round(d.median_service)::bigint as median_service,
            case when k.failures then d.failed_instances end as failed_instances
        from done as d
        join resource as r using (resource_key)
        cross join records as k
        where r.resource is not null
        order by d.instances desc, r.resource, r.resource_kind
        """,
        RESOURCE_TIMES,
    )


def resource_idle_times(log: EventLog) -> pl.DataFrame:
    """How long each resource was idle between its first event and its last.

    Idle is what is left of that time without the union of the intervals in which it was working.
    Resources whose instances have no start are left out: nobody knows when they worked.

    Returns `RESOURCE_IDLE_TIMES`, most idle first, then by name. An empty log gives no rows.

    Source: edeaR, idle_time at the level of resources.
    """
    return log.query(
        """
        with worked as (
            select
                resource_key,
                coalesce(scheduled_at, started_at, completed_at) as since,
                coalesce(completed_at, started_at, scheduled_at) as until,
                case when started_at <= completed_at then started_at end as low,
                case when started_at <= completed_at then completed_at end as high
            from activity_instance
            where resource_key is not null and (select starts from records)
        ),
        reached as (
            select
                resource_key,
                since,
                until,
                low,
                high,
                max(high) over (
                    partition by resource_key order by low, high
                    rows between unbounded preceding and 1 preceding
                ) as before
            from worked
        ),
        idle as (
            select
                resource_key,
                epoch_us(max(until)) - epoch_us(min(since))
                    - sum(greatest(
                        epoch_us(high) - epoch_us(greatest(low, coalesce(before, low))), 0
                    )) as idle_time
            from reached
            group by resource_key
            having count(low) > 0
        )
        select r.resource, r.resource_kind, i.idle_time::bigint as idle_time
        from idle as i
        join resource as r using (resource_key)
        where r.resource is not null
        order by i.idle_time desc, r.resource, r.resource_kind
        """,
        RESOURCE_IDLE_TIMES,
    )


def cycle_time_distribution(log: EventLog, *, bins: int = 40) -> pl.DataFrame:
    """How many closed cases took how long, in bins of equal width up to the 99th percentile.

    The last bin also holds everything above it, and then its `high` is the longest cycle time.
    Returns `CYCLE_TIME_DISTRIBUTION`, shortest first; bins without cases are there with zero. No
    closed case gives no rows.
    """
    return log.query(
        """
        with closed as (
            select cycle_time
            from "case"
            where status <> 'running'
        ),
        bounds as (
            select
                greatest(ceil(quantile_cont(cycle_time, 0.99) / $bins), 1)::bigint as width,
                max(cycle_time) as longest
            from closed
            having count(*) > 0
        ),
        counted as (
            select least(cycle_time // width, $bins - 1) as bin, count(*) as cases
            from closed
            cross join bounds
            group by bin
        )
        select
            bin.number * width as low,
            case
                when bin.number = $bins - 1 then greatest(longest, $bins * width)
                else (bin.number + 1) * width
            end as high,
            coalesce(cases, 0) as cases
        from range($bins) as bin (number)
        cross join bounds
        left join counted on counted.bin = bin.number
        order by low
        """,
        CYCLE_TIME_DISTRIBUTION,
        bins=bins,
    )
