"""Holding a log against models: what is kept is read, what is missing is aligned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from miner.conformance.alignments import Alignments, Traces, align
from miner.conformance.kept import ALIGNMENT, NO_TRACE, TRACE, TRACE_DEVIATION, keep
from miner.conformance.model_qualities import lay_qualities
from miner.conformance.patterns import deviations_of_moves
from miner.conformance.traces import lay_judged, lay_traces
from miner.conformance.workflows import Workflow, Workflows
from miner.errors import ModelError
from miner.eventlog.log import EventLog
from miner.eventlog.store import EventStore

_SHORTEST = pl.Schema({"model": pl.UInt64(), "shortest": pl.Int64()})

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Held:
    """A log with its cases held against models.

    Its log has the tables `judged_case` (case, trace, model), `aligned` (cost by model and trace),
    `deviation_of_trace` (one row per deviation of a trace) and `shortest` (by model).
    """

    log: EventLog
    workflows: Workflows
    new_alignments: int
    """How many alignments were not known before."""


def hold(
    log: EventLog,
    workflows: Workflows,
    *,
    store: EventStore | None = None,
    seconds: float = 300.0,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Held:
    """Align the traces of the closed cases of `log` that are not aligned yet.

    What was found is kept in `store`, if one is given: it has to be the one that the log is of. A
    trace too hard for the time has no row in `aligned`. Raises ModelError for a model that cannot
    end.
    """
    retraced = lay_traces(log)
    lay_judged(log, workflows)
    found = _aligned(log, workflows, seconds, progress or (lambda _share: None), cancelled)
    alignments = found.alignments
    log.lay("new_alignment", alignments)
    log.lay("newly_aligned", found.traces)
    log.lay("new_deviation", found.deviations)
    log.lay("shortest", found.shortest)
    log.lay("aligned", _WITH_NEW.format(known="alignment", new="new_alignment", key="model"))
    log.lay("deviation_of_trace", _DEVIATIONS)
    whole = store is not None and not log.condition
    precise = whole and lay_qualities(log, workflows)
    if store is not None and (alignments.height or (whole and (retraced or precise))):
        keep(store, log)
    new = alignments.filter(pl.col("trace_key") != NO_TRACE)
    return Held(log, workflows, new.height)


@dataclass(frozen=True)
class _Found:
    """What was aligned that was not known."""

    alignments: pl.DataFrame
    deviations: pl.DataFrame
    traces: pl.DataFrame
    shortest: pl.DataFrame


def _aligned(
    log: EventLog,
    workflows: Workflows,
    seconds: float,
    tell: Progress,
    cancelled: Callable[[], bool] | None,
) -> _Found:
    costs, deviations, traces = (
        [ALIGNMENT.to_frame()],
        [TRACE_DEVIATION.to_frame()],
        [TRACE.to_frame()],
    )
    shortest = []
    for number, workflow in enumerate(workflows.models):
        part = _part(tell, number, len(workflows.models))
        missing = _missing(log, workflow)
        known = log.row_or_none(_KNOWN_SHORTEST, model=workflow.key)
        if known is not None and missing.is_empty():
            shortest.append((workflow.key, known["cost"]))
            continue
        aligned = align(
            workflow.model,
            _traces(log, missing),
            seconds=seconds,
            progress=part,
            cancelled=cancelled,
        )
        if aligned.shortest is None:
            raise ModelError(
                f"{_called(workflow)} cannot come to its end: {workflow.soundness.reason}",
                hint="Correct the model; nothing was held against it.",
            )
        shortest.append((workflow.key, aligned.shortest))
        new_costs, new_deviations = _rows(log, workflow, missing, aligned)
        if known is None:
            nothing = (workflow.key, NO_TRACE, aligned.shortest)
            costs.append(pl.DataFrame([nothing], schema=ALIGNMENT, orient="row"))
        costs.append(new_costs)
        deviations.append(new_deviations)
        traces.append(missing)
    return _Found(
        pl.concat(costs),
        pl.concat(deviations),
        pl.concat(traces),
        pl.DataFrame(shortest, schema=_SHORTEST, orient="row"),
    )


def _called(workflow: Workflow) -> str:
    version = f", version {workflow.version}" if workflow.version else ""
    return f"The model {workflow.model.name!r}{version}"


def _part(tell: Progress, number: int, parts: int) -> Progress:
    return lambda share: tell((number + share) / parts)


def _missing(log: EventLog, workflow: Workflow) -> pl.DataFrame:
    """The traces of cases of this model that are not aligned with it; `TRACE`."""
    return log.query(_MISSING, TRACE, model=workflow.key)


def _traces(log: EventLog, found: pl.DataFrame) -> Traces:
    names = log.query(
        "select activity_key, activity from activity order by activity_key",
        pl.Schema({"activity_key": pl.Int64(), "activity": pl.String()}),
    )
    keys = found["activity_keys"].explode(empty_as_null=False).to_numpy()
    lengths = found["activity_keys"].list.len().to_numpy()
    offsets = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
    codes = np.searchsorted(names["activity_key"].to_numpy(), keys).astype(np.int32)
    return Traces(offsets, codes, tuple(names["activity"]))


def _rows(
    log: EventLog, workflow: Workflow, found: pl.DataFrame, aligned: Alignments
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What is kept of alignments: costs, and deviations of the traces that have any."""
    known = pl.DataFrame(
        {"trace_key": found["trace_key"], "cost": aligned.costs, "exact": aligned.exact}
    ).with_row_index("trace")
    exact = known.filter(pl.col("exact") & (pl.col("cost") >= 0))
    model = pl.lit(workflow.key, pl.UInt64()).alias("model")
    costs = exact.select(model, "trace_key", pl.col("cost").cast(pl.Int32()))
    deviations = deviations_of_moves(
        aligned.moves, _traces(log, found), workflow.model.net.transitions
    )
    kept = deviations.join(
        exact.select(pl.col("trace").cast(pl.Int32()), "trace_key"), on="trace", how="inner",
        maintain_order="left",
    )  # fmt: skip
    return costs, kept.select(model, *list(TRACE_DEVIATION)[1:]).cast(TRACE_DEVIATION)


_KNOWN_SHORTEST = f"select cost from alignment where model = $model and trace_key = {NO_TRACE}"

_MISSING = """
with missing as (
    select distinct trace_key
    from judged_case
    where model = $model
        and trace_key not in (select trace_key from alignment where model = $model)
)
select m.trace_key, coalesce(v.activity_keys, t.activity_keys, n.activity_keys) as activity_keys
from missing as m
left join variant as v on v.variant_key = m.trace_key
left join trace as t using (trace_key)
left join new_trace as n using (trace_key)
order by activity_keys, m.trace_key
"""

_WITH_NEW = """
select {key}, trace_key, cost
from {known}
where {key} in (select {key} from shortest)
union all
select {key}, trace_key, cost
from {new}
"""

_DEVIATIONS = """
select model, trace_key, number, kind, activity, instead, expected_after, element_id
from trace_deviation
where model in (select model from shortest)
union all
select model, trace_key, number, kind, activity, instead, expected_after, element_id
from new_deviation
"""
