"""Precision and generalization of models for their cases; kept, because they take longest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from miner.conformance.kept import QUALITY
from miner.conformance.precision import walked
from miner.conformance.qualities import counts_of, generalization, simplicity
from miner.conformance.workflows import Workflow, Workflows
from miner.eventlog.log import EventLog

_TRACES_OF = pl.Schema({"activities": pl.List(pl.String()), "cases": pl.Int64()})
_CASES_OF = pl.Schema({"model": pl.UInt64(), "cases": pl.Int64()})
_MOVES_OF = pl.Schema({"activity": pl.String(), "events": pl.Int64()})
_NAMES = ("precision", "precision_covered", "generalization")


@dataclass(frozen=True)
class ModelQualities:
    """What `Qualities` says of models, weighted by the cases held against each.

    Null where it is not known of one of them. `precision_covered` is the share of the beginnings of
    traces that precision is about: those that the model can replay.
    """

    precision: float | None
    precision_covered: float | None
    generalization: float | None
    simplicity: float | None


def lay_qualities(log: EventLog, workflows: Workflows) -> bool:
    """Find the qualities of each model for the judged cases of a log without a filter.

    Lays `new_quality`; returns whether anything was found that is not kept.
    """
    if _kept(log, workflows).height == len(workflows.models):
        log.lay("new_quality", QUALITY.to_frame())
        return False
    log.lay("new_quality", _computed(log, workflows))
    return True


def model_qualities(log: EventLog, workflows: Workflows) -> ModelQualities:
    """The qualities of the models that the cases of `log` are held against."""
    kept = QUALITY.to_frame() if log.condition else _kept(log, workflows)
    found = kept if kept.height == len(workflows.models) else _computed(log, workflows)
    simple = [(each.key, simplicity(each.model.net)) for each in workflows.models]
    schema = {"model": pl.UInt64(), "simplicity": pl.Float64()}
    rows = found.join(pl.DataFrame(simple, schema=schema, orient="row"), on="model").join(
        log.query(_CASES, _CASES_OF), on="model"
    )
    return ModelQualities(*(_weighted(rows, name) for name in (*_NAMES, "simplicity")))


def _weighted(rows: pl.DataFrame, name: str) -> float | None:
    cases = rows["cases"].sum()
    if not cases or rows[name].null_count():
        return None
    return float((rows[name] * rows["cases"]).sum()) / float(cases)


def _computed(log: EventLog, workflows: Workflows) -> pl.DataFrame:
    scope = _scope(workflows)
    rows = [(each.key, scope, *_of_one(log, each)) for each in workflows.models]
    return pl.DataFrame(rows, schema=QUALITY, orient="row")


def _of_one(log: EventLog, workflow: Workflow) -> Sequence[float | None]:
    """Precision, the share it covers, and generalization."""
    traces = log.query(_TRACES, _TRACES_OF, model=workflow.key)
    if traces.is_empty():
        return None, None, None
    walk = walked(workflow.model, counts_of(traces))
    done = (
        traces.explode("activities", empty_as_null=False)
        .group_by(pl.col("activities").alias("activity"))
        .agg(pl.col("cases").sum().alias("events"))
    )
    alone = log.query(_MOVES, _MOVES_OF, model=workflow.key)
    matched = done.join(alone, on="activity", how="left", suffix="_alone").select(
        "activity", pl.col("events") - pl.col("events_alone").fill_null(0)
    )
    return (
        walk.precision,
        walk.covered,
        generalization(workflow.model.net, dict(matched.rows())),
    )


def _kept(log: EventLog, workflows: Workflows) -> pl.DataFrame:
    return log.query(_KNOWN, QUALITY, scope=_scope(workflows))


def _scope(workflows: Workflows) -> int:
    """A number for how cases are told which model they are held against."""
    digest = hashlib.sha256(repr(workflows.scopes().rows()).encode()).digest()
    return int.from_bytes(digest[:8], "big")


_KNOWN = """
select model, scope, precision, precision_covered, generalization
from model_quality
where scope = $scope
    and load_id = (select max(load_id) from load)
"""

_MOVES = """
with counted as (
    select trace_key, count(*) as cases
    from judged_case
    where model = $model
    group by trace_key
)
select d.activity, sum(c.cases) as events
from deviation_of_trace as d
join counted as c using (trace_key)
where d.model = $model and d.kind <> 'skipped'
group by d.activity
order by d.activity
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
