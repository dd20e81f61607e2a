"""Precision of models for the cases held against them; kept, because it takes longest."""

from __future__ import annotations

import hashlib

import polars as pl

from miner.conformance.kept import PRECISION
from miner.conformance.qualities import precision
from miner.conformance.workflows import Workflows
from miner.eventlog.log import EventLog

_TRACES_OF = pl.Schema({"activities": pl.List(pl.String()), "cases": pl.Int64()})
_CASES_OF = pl.Schema({"model": pl.UInt64(), "cases": pl.Int64()})


def lay_precisions(log: EventLog, workflows: Workflows) -> bool:
    """Find the precision of each model for the judged cases of a log without a filter.

    Lays `new_precision`; returns whether anything was found that is not kept.
    """
    scope = _scope(workflows)
    known = set(log.query(_KNOWN, PRECISION, scope=scope)["model"])
    if known >= {each.key for each in workflows.workflows}:
        log.lay("new_precision", PRECISION.to_frame())
        return False
    rows = [(key, scope, found) for key, found in _computed(log, workflows).items()]
    log.lay("new_precision", pl.DataFrame(rows, schema=PRECISION, orient="row"))
    return True


def precision_of_all(log: EventLog, workflows: Workflows) -> float | None:
    """Precision of each model for its cases, weighted by them; null where one is not known."""
    cases = dict(log.query(_CASES, _CASES_OF).rows())
    scope = _scope(workflows)
    found: dict[int, float | None] = {}
    if not log.condition:
        found = dict(log.query(_KNOWN, PRECISION, scope=scope).select("model", "precision").rows())
    if not found.keys() >= cases.keys():
        found = _computed(log, workflows)
    weighted = 0.0
    for key, number in cases.items():
        known = found[key]
        if known is None:
            return None
        weighted += known * int(number)
    return weighted / sum(cases.values()) if cases else None


def _computed(log: EventLog, workflows: Workflows) -> dict[int, float | None]:
    return {
        each.key: precision(each.model, log.query(_TRACES, _TRACES_OF, model=each.key))
        for each in workflows.workflows
    }


def _scope(workflows: Workflows) -> int:
    """A number for how cases are told which model they are held against."""
    digest = hashlib.sha256(repr(workflows.scopes().rows()).encode()).digest()
    return int.from_bytes(digest[:8], "big")


_KNOWN = """
select model, scope, precision
from model_precision
where scope = $scope
    and load_id = (select max(load_id) from load)
"""

_CASES = """
select model, count(*) as cases
from judged_case
where model is not null
group by model
order by model
"""

_TRACES = """
with counted as (
    select trace_key, count(*) as cases
    from judged_case
    where model = $model
    group by trace_key
),
step as (
    select
        c.trace_key,
        unnest(coalesce(v.activity_keys, t.activity_keys, n.activity_keys)) as activity_key,
        unnest(range(len(coalesce(v.activity_keys, t.activity_keys, n.activity_keys)))) as number
    from counted as c
    left join variant as v on v.variant_key = c.trace_key
    left join trace as t using (trace_key)
    left join new_trace as n using (trace_key)
),
named as (
    select s.trace_key, list(a.activity order by s.number) as activities
    from step as s
    join activity as a using (activity_key)
    group by s.trace_key
)
select coalesce(n.activities, []) as activities, c.cases
from counted as c
left join named as n using (trace_key)
order by c.cases desc, c.trace_key
"""
