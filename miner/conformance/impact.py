"""What deviations cost, and which cases deviate: impact and likely causes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from miner.conformance.held import Held

_Z = 1.959964
"""The 97.5th percentile of the normal distribution: intervals are of 95 %."""

CAUSES = pl.Schema(
    {
        "attribute": pl.String(),
        "value": pl.String(),
        "cases": pl.Int64(),
        "deviating_cases": pl.Int64(),
        "deviation_rate": pl.Float64(),
        "lift": pl.Float64(),
        "lift_low": pl.Float64(),
        "lift_high": pl.Float64(),
        "p_value": pl.Float64(),
        "adjusted_p_value": pl.Float64(),
    }
)
MOST_VALUES = 50
"""An attribute with more values than this tells cases apart and explains nothing."""


@dataclass(frozen=True)
class Impact:
    """How cases that deviate differ from those that conform and are alike otherwise.

    Deviating cases are compared with conforming ones that have the same values of `matched_on`;
    each group counts as much as it has deviating cases. `matched_cases` are the deviating cases
    that have such a like, of `deviating_cases` in all: the figures say nothing about the others.
    The differences are deviating minus conforming, of mean cycle times and of failure rates, with
    intervals of 95 % by the normal approximation; null with fewer than two cases on a side of
    every group. A difference is not proof of a cause.
    """

    matched_on: tuple[str, ...]
    deviating_cases: int
    conforming_cases: int
    matched_cases: int
    added_cycle_time: timedelta | None
    added_cycle_time_low: timedelta | None
    added_cycle_time_high: timedelta | None
    added_failure_rate: float | None
    added_failure_rate_low: float | None
    added_failure_rate_high: float | None


def impact(
    held: Held,
    *,
    matched_on: Sequence[str] = (),
    kind: str | None = None,
    activity: str | None = None,
) -> Impact:
    """What it means for a case to deviate, or to have one kind of deviation at one activity.

    The version a case ran on is always matched; `matched_on` names further case attributes. Cases
    that deviate otherwise than asked for are left out.
    """
    strata = held.log.query(_STRATA, _STRATUM, keys=list(matched_on), kind=kind, activity=activity)
    totals = strata.select(pl.col("deviating", "conforming").sum()).row(0)
    both = strata.filter((pl.col("deviating") > 1) & (pl.col("conforming") > 1))
    time, time_low, time_high = map(_duration, _difference(both, "time"))
    failed, failed_low, failed_high = _difference(both, "failed")
    return Impact(
        matched_on=("version", *matched_on),
        deviating_cases=totals[0] or 0,
        conforming_cases=totals[1] or 0,
        matched_cases=int(both["deviating"].sum()),
        added_cycle_time=time,
        added_cycle_time_low=time_low,
        added_cycle_time_high=time_high,
        added_failure_rate=failed,
        added_failure_rate_low=failed_low,
        added_failure_rate_high=failed_high,
    )


def _duration(microseconds: float | None) -> timedelta | None:
    return None if microseconds is None else timedelta(microseconds=microseconds)


def _difference(strata: pl.DataFrame, what: str) -> tuple[float | None, float | None, float | None]:
    """The mean difference over strata and its interval, each as heavy as its deviating cases."""
    if strata.is_empty():
        return None, None, None
    weight = strata["deviating"] / strata["deviating"].sum()
    difference = strata[f"{what}_deviating"] - strata[f"{what}_conforming"]
    variance = (
        strata[f"{what}_variance_deviating"] / strata["deviating"]
        + strata[f"{what}_variance_conforming"] / strata["conforming"]
    )
    mean = float((weight * difference).sum())
    margin = _Z * math.sqrt(float((weight * weight * variance).sum()))
    return mean, mean - margin, mean + margin


def causes(held: Held, *, least_cases: int = 20, kind: str | None = None) -> pl.DataFrame:
    """Which values of case attributes, versions and resources go with deviating.

    `lift` is the rate of deviating cases among those with the value over the rate among all judged
    cases, with an interval of 95 % (Katz, log scale). `p_value` is of the likelihood-ratio test of
    independence, `adjusted_p_value` after Benjamini and Hochberg (1995): the share of false ones to
    expect down to this row. Values with fewer than `least_cases` cases, and attributes of cases
    with more than 50 values, are left out. Going with is not causing.

    Returns `CAUSES`, the surest first; no rows where all cases deviate or none does.
    """
    counts = held.log.query(_COUNTS, _COUNT, least=least_cases, most=MOST_VALUES, kind=kind)
    rows = [row for each in counts.iter_rows() if (row := _cause(*each)) is not None]
    rows.sort(key=lambda row: (row[-1], row[0], row[1]))
    adjusted: list[float] = []
    running = 1.0
    for rank in range(len(rows), 0, -1):
        running = min(running, rows[rank - 1][-1] * len(rows) / rank)
        adjusted.append(running)
    found = [(*row, p) for row, p in zip(rows, reversed(adjusted), strict=True)]
    return pl.DataFrame(found, schema=CAUSES, orient="row")


_Cause = tuple[str, str, int, int, float, float, float | None, float | None, float]


def _cause(
    attribute: str, value: str, cases: int, deviating: int, all_cases: int, all_deviating: int
) -> _Cause | None:
    if not 0 < all_deviating < all_cases or cases == all_cases:
        return None
    rate, overall = deviating / cases, all_deviating / all_cases
    low = high = None
    if deviating:
        spread = _Z * math.sqrt((1 - rate) / deviating + (1 - overall) / all_deviating)
        low, high = rate / overall * math.exp(-spread), rate / overall * math.exp(spread)
    observed = (
        (deviating, cases, all_deviating),
        (cases - deviating, cases, all_cases - all_deviating),
        (all_deviating - deviating, all_cases - cases, all_deviating),
        (
            all_cases - cases - all_deviating + deviating,
            all_cases - cases,
            all_cases - all_deviating,
        ),
    )
    ratio = 2 * sum(
        n * math.log(n * all_cases / (row * column)) for n, row, column in observed if n
    )
    p_value = math.erfc(math.sqrt(max(ratio, 0.0) / 2))
    return attribute, value, cases, deviating, rate, rate / overall, low, high, p_value


_STRATUM = pl.Schema(
    {
        "deviating": pl.Int64(),
        "conforming": pl.Int64(),
        "time_deviating": pl.Float64(),
        "time_conforming": pl.Float64(),
        "time_variance_deviating": pl.Float64(),
        "time_variance_conforming": pl.Float64(),
        "failed_deviating": pl.Float64(),
        "failed_conforming": pl.Float64(),
        "failed_variance_deviating": pl.Float64(),
        "failed_variance_conforming": pl.Float64(),
    }
)
_COUNT = pl.Schema(
    {
        "attribute": pl.String(),
        "value": pl.String(),
        "cases": pl.Int64(),
        "deviating": pl.Int64(),
        "all_cases": pl.Int64(),
        "all_deviating": pl.Int64(),
    }
)

_ASKED = """
asked as (
    select distinct model, trace_key
    from deviation_of_trace
    where ($kind is null or kind = $kind)
        and ($activity is null or activity = $activity)
)
"""

_STRATA = f"""
with {_ASKED},
judged as (
    select
        c.version_key,
        list_transform(
            $keys::varchar[], lambda key: (i.attributes::json ->> key)
        ) as stratum,
        q.trace_key is not null as deviates,
        c.cycle_time as time,
        (c.status in ('failed', 'timed_out'))::integer as failed
    from judged_case as j
    join aligned as a using (model, trace_key)
    join "case" as c using (case_key)
    join case_identity as i using (case_key)
    left join asked as q using (model, trace_key)
    where a.cost = 0 or q.trace_key is not null
)
select
    count(*) filter (where deviates) as deviating,
    count(*) filter (where not deviates) as conforming,
    avg(time) filter (where deviates) as time_deviating,
    avg(time) filter (where not deviates) as time_conforming,
    var_samp(time) filter (where deviates) as time_variance_deviating,
    var_samp(time) filter (where not deviates) as time_variance_conforming,
    avg(failed) filter (where deviates) as failed_deviating,
    avg(failed) filter (where not deviates) as failed_conforming,
    var_samp(failed) filter (where deviates) as failed_variance_deviating,
    var_samp(failed) filter (where not deviates) as failed_variance_conforming
from judged
group by version_key, stratum
order by version_key, stratum
"""

_COUNTS = """
with deviating as (
    select distinct model, trace_key
    from deviation_of_trace
    where $kind is null or kind = $kind
),
judged as (
    select j.case_key, j.version_key, d.trace_key is not null as deviates
    from judged_case as j
    join aligned as a using (model, trace_key)
    left join deviating as d using (model, trace_key)
),
total as (
    select count(*) as all_cases, count(*) filter (where deviates) as all_deviating
    from judged
),
worked as (
    select distinct case_key, resource_key
    from activity_instance
    where resource_key is not null
),
attribute_value as (
    select
        case_key,
        unnest(json_keys(attributes::json)) as attribute,
        unnest(list_transform(
            json_keys(attributes::json), lambda key: (attributes::json ->> key)
        )) as value
    from case_identity
    where attributes is not null
    union all
    select j.case_key, 'version', v.process_version
    from judged as j
    join process_version as v using (version_key)
    union all
    select w.case_key, 'resource', r.resource
    from worked as w
    join resource as r using (resource_key)
),
counted as (
    select
        a.attribute,
        a.value,
        count(*) as cases,
        count(*) filter (where j.deviates) as deviating
    from attribute_value as a
    join judged as j using (case_key)
    where a.value is not null
    group by a.attribute, a.value
    qualify a.attribute = 'resource' or count(*) over (partition by a.attribute) <= $most
)
select
    c.attribute,
    c.value,
    c.cases,
    c.deviating,
    t.all_cases,
    t.all_deviating
from counted as c
cross join total as t
where c.cases >= $least
order by c.attribute, c.value
"""
