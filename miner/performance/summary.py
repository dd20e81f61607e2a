"""The figures of a process at a glance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from miner.eventlog.log import EventLog
from miner.performance.bottlenecks import bottlenecks


@dataclass(frozen=True)
class Summary:
    """The figures of a process; null where the log does not say.

    Cycle times, failure rate, first-pass yield and throughput count the `closed_cases`; retry and
    rework rate count all `cases`. Failed cases are those that failed or timed out; cancelled ones
    are not failed. In a log that records no failures, what depends on them is null.
    """

    process: str
    cases: int
    events: int
    activities: int
    variants: int
    open_cases: int
    closed_cases: int
    failed_cases: int | None
    cancelled_cases: int
    first_event: datetime | None
    last_event: datetime | None
    median_cycle_time: timedelta | None
    p95_cycle_time: timedelta | None
    p99_cycle_time: timedelta | None
    failure_rate: float | None
    retry_rate: float | None
    rework_rate: float | None
    first_pass_yield: float | None
    throughput_per_day: float | None
    retries: int | None
    rework: int
    interventions: int
    median_cycle_time_of_all: timedelta | None
    """Open cases counted as they stand; where it is far above the median, look at the open ones."""


def summary(log: EventLog) -> Summary:
    """The figures of the cases in `log`.

    *Failure rate*: failed closed cases / closed cases. *Retry rate*: cases with a retry / cases.
    *Rework rate*: cases with rework / cases. *First-pass yield*: closed cases that completed with
    no failed attempt, retry, rework or intervention / closed cases. *Throughput*: closed cases /
    days from the first event to the last. Percentiles are exact, with linear interpolation.

    An empty selection gives counts of zero and null figures.

    Source: edeaR (throughput time, rework); first-pass yield after lean usage, defined here.
    """
    row = log.row(_SUMMARY)
    for name in ("median_cycle_time", "p95_cycle_time", "p99_cycle_time"):
        row[name] = _duration(row[name])
    row["median_cycle_time_of_all"] = _duration(row["median_cycle_time_of_all"])
    return Summary(process=log.process, **row)


def headline(log: EventLog) -> dict[str, object]:
    """The figures of a process that fit one line, with its worst bottleneck.

    The bottleneck is the activity with the most waiting; null in a log without any.
    """
    figures = summary(log)
    worst = bottlenecks(log).filter(pl.col("previous_activity").is_null()).head(1)
    return {
        "process": figures.process,
        "cases": figures.cases,
        "events": figures.events,
        "variants": figures.variants,
        "open_cases": figures.open_cases,
        "median_cycle_time": figures.median_cycle_time,
        "p95_cycle_time": figures.p95_cycle_time,
        "failure_rate": figures.failure_rate,
        "worst_bottleneck": worst["activity"].item() if worst.height else None,
    }


def _duration(microseconds: int | None) -> timedelta | None:
    return None if microseconds is None else timedelta(microseconds=microseconds)


_SUMMARY = """
with counted as (
    select
        count(*) as cases,
        coalesce(sum(events), 0)::bigint as events,
        count(distinct variant_key) as variants,
        count(*) filter (where status = 'running') as open_cases,
        count(*) filter (where status <> 'running') as closed_cases,
        count(*) filter (where status in ('failed', 'timed_out')) as failed_cases,
        count(*) filter (where status = 'cancelled') as cancelled_cases,
        min(started_at) as first_event,
        max(completed_at) as last_event,
        quantile_cont(cycle_time, [0.5, 0.95, 0.99]) filter (where status <> 'running') as times,
        quantile_cont(cycle_time, 0.5) as median_of_all,
        count(*) filter (where retries > 0) as cases_with_retry,
        count(*) filter (where rework > 0) as cases_with_rework,
        count(*) filter (
            where status = 'completed' and retries = 0 and rework = 0 and failed_instances = 0
                and interventions = 0
        ) as first_pass,
        coalesce(sum(retries), 0)::bigint as retries,
        coalesce(sum(rework), 0)::bigint as rework,
        coalesce(sum(interventions), 0)::bigint as interventions
    from "case"
),
done as (
    select count(distinct activity_key) as activities
    from activity_instance
)
select
    cases,
    events,
    activities,
    variants,
    open_cases,
    closed_cases,
    case when r.failures then failed_cases end as failed_cases,
    cancelled_cases,
    first_event,
    last_event,
    round(times[1])::bigint as median_cycle_time,
    round(times[2])::bigint as p95_cycle_time,
    round(times[3])::bigint as p99_cycle_time,
    case when r.failures then failed_cases / nullif(closed_cases, 0) end as failure_rate,
    case when r.failures or r.attempts then cases_with_retry / nullif(cases, 0) end as retry_rate,
    cases_with_rework / nullif(cases, 0) as rework_rate,
    case when r.failures then first_pass / nullif(closed_cases, 0) end as first_pass_yield,
    closed_cases / nullif(epoch(last_event - first_event) / 86400, 0) as throughput_per_day,
    case when r.failures or r.attempts then retries end as retries,
    rework,
    interventions,
    round(median_of_all)::bigint as median_cycle_time_of_all
from counted
cross join done
cross join records as r
"""
