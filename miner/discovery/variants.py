"""Variants: the distinct ways in which cases ran."""

from __future__ import annotations

import polars as pl

from miner.eventlog.log import EventLog
from miner.eventlog.schema import DURATION

VARIANTS = pl.Schema(
    {
        "variant": pl.Int64(),
        "activities": pl.List(pl.String()),
        "cases": pl.Int64(),
        "share": pl.Float64(),
        "cumulative_share": pl.Float64(),
        "median_cycle_time": DURATION,
        "open_cases": pl.Int64(),
    }
)


def variants(log: EventLog, *, top: int | None = None) -> pl.DataFrame:
    """The distinct sequences of activities, with the cases that ran them.

    `variant` ranks them from 1; equally frequent ones are ordered by when the first case of the
    store ran them. `share` is of all cases of the log, `cumulative_share` of this variant and those
    above. The median cycle time counts closed cases only and is null where there is none.

    Returns `VARIANTS`, most cases first, at most `top` of them. An empty log gives no rows.

    Source: van der Aalst, Process Mining, 2nd ed. (2016), section 5.2 (trace variants).
    """
    return log.query(
        """
        with counted as (
            select
                variant_key,
                count(*) as cases,
                quantile_cont(cycle_time, 0.5) filter (where status <> 'running') as median,
                count(*) filter (where status = 'running') as open_cases
            from "case"
            group by variant_key
        ),
        ranked as (
            select
                variant_key,
                row_number() over (order by cases desc, variant_key) as variant,
                cases,
                cases / sum(cases) over () as share,
                sum(cases) over (order by cases desc, variant_key rows unbounded preceding)
                    / sum(cases) over () as cumulative_share,
                median,
                open_cases
            from counted
            qualify $top is null or variant <= $top
        ),
        step as (
            select
                r.variant_key,
                unnest(v.activity_keys) as activity_key,
                unnest(range(len(v.activity_keys))) as number
            from ranked as r
            join variant as v using (variant_key)
        ),
        named as (
            select s.variant_key, list(a.activity order by s.number) as activities
            from step as s
            join activity as a using (activity_key)
            group by s.variant_key
        )
        select
            r.variant,
            coalesce(n.activities, []) as activities,
            r.cases,
            r.share,
            r.cumulative_share,
            round(r.median)::bigint as median_cycle_time,
            r.open_cases
        from ranked as r
        left join named as n using (variant_key)
        order by r.variant
        """,
        VARIANTS,
        top=top,
    )
