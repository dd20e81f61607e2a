"""Handover of work: who passes cases to whom."""

from __future__ import annotations

import polars as pl

from miner.eventlog.log import EventLog
from miner.eventlog.schema import DURATION

HANDOVERS = pl.Schema(
    {
        "resource": pl.String(),
        "next_resource": pl.String(),
        "frequency": pl.Int64(),
        "cases": pl.Int64(),
        "median": DURATION,
    }
)


def handovers(log: EventLog, *, to_self: bool = False, top: int = 1000) -> pl.DataFrame:
    """How often work passes directly from one resource to another.

    The directly-follows graph with the resource in place of the activity. The median time runs
    from the completion of the one to the start of the other, or to its completion where the log
    has no start. Instances without a resource hand nothing over. Passing on to oneself counts only
    with `to_self`.

    Returns `HANDOVERS`, most frequent first, at most `top` rows. A log without resources gives no
    rows.

    Source: van der Aalst, Reijers, Song, Discovering Social Networks from Event Logs (2005).
    """
    return log.query(
        """
        with passed as (
            select resource_key, next_resource_key, count(*) as frequency
            from activity_instance
            where resource_key is not null
                and next_resource_key is not null
                and (next_resource_key <> resource_key or $to_self)
            group by resource_key, next_resource_key
            order by frequency desc, resource_key, next_resource_key
            limit $top
        ),
        timed as (
            select
                i.resource_key,
                i.next_resource_key,
                count(distinct i.case_key) as cases,
                quantile_cont(i.next_time, 0.5) as median
            from activity_instance as i
            semi join passed using (resource_key, next_resource_key)
            group by i.resource_key, i.next_resource_key
        )
        select
            r.resource,
            n.resource as next_resource,
            p.frequency,
            t.cases,
            round(t.median)::bigint as median
        from passed as p
        join timed as t using (resource_key, next_resource_key)
        join resource as r on r.resource_key = p.resource_key
        join resource as n on n.resource_key = p.next_resource_key
        where r.resource is not null and n.resource is not null
        order by p.frequency desc, r.resource, n.resource
        """,
        HANDOVERS,
        to_self=to_self,
        top=top,
    )
