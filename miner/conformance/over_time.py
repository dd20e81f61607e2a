"""Conformance per week and per version, and which version deviates where."""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from miner.conformance.conform import JUDGED
from miner.conformance.held import Held
from miner.eventlog.schema import INSTANT

WEEKS = pl.Schema(
    {
        "week": INSTANT,
        "version": pl.String(),
        "cases": pl.Int64(),
        "conforming_cases": pl.Int64(),
        "conformance_rate": pl.Float64(),
        "fitness": pl.Float64(),
    }
)
MATRIX = pl.Schema(
    {
        "version": pl.String(),
        "activity": pl.String(),
        "kind": pl.String(),
        "cases": pl.Int64(),
        "share": pl.Float64(),
        "first_seen": INSTANT,
        "last_seen": INSTANT,
    }
)
CHANGE = pl.Schema(
    {
        "at": INSTANT,
        "case_index": pl.Int64(),
        "rate_before": pl.Float64(),
        "rate_after": pl.Float64(),
        "p_value": pl.Float64(),
    }
)
_LEAST_CASES = 20
"""On either side of a change; fewer say nothing about a rate."""


def conformance_over_time(held: Held) -> pl.DataFrame:
    """Conformance of the cases that began in a week (Monday, UTC), per version they ran on.

    Returns `WEEKS` in order of week and version. Weeks without a case have no row.
    """
    return held.log.query(_WEEKS, WEEKS)


def deviation_matrix(held: Held) -> pl.DataFrame:
    """Which version deviates where: cases with each deviation, and their share of its cases.

    `first_seen` and `last_seen` are when the first and the last case with it began. Returns
    `MATRIX` in order of version, most cases first.
    """
    return held.log.query(_MATRIX, MATRIX)


def change_of_conformance(held: Held) -> pl.DataFrame:
    """When the rate of conforming cases changed the most, if it did at all.

    The cases in the order they began are split where the likelihood ratio of two rates against one
    is largest; `p_value` is for the largest of all splits (Miller and Siegmund 1982). Returns
    `CHANGE`: one row, or none where p is above 0.01 or there are fewer than 40 cases.
    """
    order = held.log.query(_ORDER, pl.Schema({"at": INSTANT, "conforms": pl.Int64()}))
    cases = order.height
    if cases < 2 * _LEAST_CASES:
        return CHANGE.to_frame()
    so_far = np.cumsum(order["conforms"].to_numpy())
    left = np.arange(1, cases)
    ratio = _ratio(so_far[:-1], left, int(so_far[-1]), cases)
    ratio[: _LEAST_CASES - 1] = ratio[cases - _LEAST_CASES :] = 0
    split = int(np.argmax(ratio)) + 1
    p_value = _p_of_largest(float(ratio[split - 1]), _LEAST_CASES / cases)
    if p_value > 0.01:
        return CHANGE.to_frame()
    before = float(so_far[split - 1]) / split
    after = float(so_far[-1] - so_far[split - 1]) / (cases - split)
    row = (order["at"][split], split + 1, before, after, p_value)
    return pl.DataFrame([row], schema=CHANGE, orient="row")


def _ratio(hits: np.ndarray, left: np.ndarray, all_hits: int, cases: int) -> np.ndarray:
    """Twice the log of the likelihood ratio of two rates against one, for each split."""

    def information(k: np.ndarray | float, n: np.ndarray | float) -> np.ndarray:
        rate = np.clip(np.asarray(k) / np.asarray(n), 1e-12, 1 - 1e-12)
        return np.asarray(k * np.log(rate) + (n - k) * np.log(1 - rate))

    two = information(hits, left) + information(all_hits - hits, cases - left)
    found: np.ndarray = 2 * (two - information(float(all_hits), float(cases)))
    return found


def _p_of_largest(ratio: float, margin: float) -> float:
    """The chance of so large a ratio at any split when nothing changed."""
    if ratio <= 0:
        return 1.0
    root = math.sqrt(ratio)
    density = math.exp(-ratio / 2) / math.sqrt(2 * math.pi)
    width = math.log(((1 - margin) / margin) ** 2)
    return min(1.0, density * ((root - 1 / root) * width + 4 / root))


_WEEKS = f"""
select
    date_trunc('week', c.started_at)::timestamp as week,
    v.process_version as version,
    count(*) as cases,
    count(*) filter (where j.cost = 0) as conforming_cases,
    count(*) filter (where j.cost = 0) / count(*) as conformance_rate,
    avg(if(j.worst > 0, 1 - j.cost / j.worst, 1)) as fitness
from ({JUDGED}) as j
join "case" as c using (case_key)
left join process_version as v on v.version_key = c.version_key
where j.cost is not null
group by week, v.process_version
order by week, length(v.process_version), v.process_version
"""

_MATRIX = """
with judged as (
    select j.case_key, j.model, j.trace_key, j.version_key, c.started_at
    from judged_case as j
    join aligned as a using (model, trace_key)
    join "case" as c using (case_key)
),
ran as (
    select version_key, count(*) as cases
    from judged
    group by version_key
),
deviating as (
    select distinct model, trace_key, activity, kind
    from deviation_of_trace
)
select
    v.process_version as version,
    d.activity,
    d.kind,
    count(*) as cases,
    count(*) / any_value(r.cases) as share,
    min(j.started_at) as first_seen,
    max(j.started_at) as last_seen
from judged as j
join deviating as d using (model, trace_key)
join ran as r on r.version_key is not distinct from j.version_key
left join process_version as v on v.version_key = j.version_key
group by v.process_version, d.activity, d.kind
order by length(v.process_version), v.process_version, count(*) desc, d.activity, d.kind
"""

_ORDER = """
select c.started_at as at, (a.cost = 0)::bigint as conforms
from judged_case as j
join aligned as a using (model, trace_key)
join "case" as c using (case_key)
order by c.started_at, j.case_key
"""
