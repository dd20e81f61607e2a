"""Holding a log against models: what is kept is read, what is missing is aligned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from miner.conformance.alignments import Alignments, Traces, align
from miner.conformance.patterns import deviations_of_moves
from miner.conformance.traces import lay_judged, lay_traces
from miner.conformance.workflows import Workflow, Workflows
from miner.errors import ModelError
from miner.eventlog.log import EventLog
from miner.eventlog.store import EventStore

ALIGNMENT = pl.Schema({"model": pl.UInt64(), "trace_key": pl.Int64(), "cost": pl.Int32()})
TRACE_DEVIATION = pl.Schema(
    {
        "model": pl.UInt64(),
        "trace_key": pl.Int64(),
        "number": pl.Int32(),
        "kind": pl.String(),
        "activity": pl.String(),
        "instead": pl.String(),
        "expected_after": pl.String(),
        "element_id": pl.String(),
    }
)
_TRACE = pl.Schema({"trace_key": pl.Int64(), "activity_keys": pl.List(pl.Int32())})
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
    new: list[tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]] = []
    shortest = []
    tell = progress or (lambda _share: None)
    for number, workflow in enumerate(workflows.workflows):
        part = _part(tell, number, len(workflows.workflows))
        found = _missing(log, workflow)
        aligned = align(
            workflow.model, _traces(log, found), seconds=seconds, progress=part, cancelled=cancelled
        )
        if aligned.shortest is None:
            raise ModelError(
                f"{_called(workflow)} cannot come to its end: {workflow.soundness.reason}",
                hint="Correct the model; nothing was held against it.",
            )
        shortest.append((workflow.key, aligned.shortest))
        if found.height:
            new.append((*_rows(log, workflow, found, aligned), found))
    alignments = pl.concat([ALIGNMENT.to_frame(), *(pair[0] for pair in new)])
    deviations = pl.concat([TRACE_DEVIATION.to_frame(), *(pair[1] for pair in new)])
    log.lay("new_alignment", alignments)
    log.lay("newly_aligned", pl.concat([_TRACE.to_frame(), *(pair[2] for pair in new)]))
    log.lay("new_deviation", deviations)
    log.lay("shortest", pl.DataFrame(shortest, schema=_SHORTEST, orient="row"))
    log.lay("aligned", _WITH_NEW.format(known="alignment", new="new_alignment", key="model"))
    log.lay("deviation_of_trace", _DEVIATIONS)
    if store is not None and (alignments.height or (retraced and not log.condition)):
        keep(store, log)
    return Held(log, workflows, alignments.height)


def keep(store: EventStore, log: EventLog) -> None:
    """Keep in the store what `hold` found out about `log`, for whoever asks next."""
    frames = {
        name: log.query(f"select columns(*) from {name}", schema) for name, schema in _KEPT.items()
    }
    ((last,),) = log.query("select max(load_id) as load_id from load", _LOAD).rows()
    with store.write() as writer, writer.transaction():
        connection = writer.connection
        for name, frame in frames.items():
            connection.register(f"found_{name}", frame)
        parameters = {"process": log.process}
        for statement in _KEEP:
            connection.execute(statement, parameters)
        if not log.condition:
            for statement in _KEEP_TRACED:
                connection.execute(statement, parameters)
            connection.execute(_KEEP_LAST, parameters | {"last": last})
        for name in frames:
            connection.unregister(f"found_{name}")


_LOAD = pl.Schema({"load_id": pl.Int64()})
_KEPT = {
    "new_trace": _TRACE,
    "newly_aligned": _TRACE,
    "new_alignment": ALIGNMENT,
    "new_deviation": TRACE_DEVIATION,
    "traced": pl.Schema({"case_key": pl.Int32(), "trace_key": pl.Int64()}),
}
_OF = "(select process_key from process where process = $process)"
# Somebody else may have kept the same in the meantime, and a load may have dropped a variant.
_STANDS = f"""
    (f.trace_key < 0 or f.trace_key in (
        select v.variant_key
        from variant as v
        join found_newly_aligned as n
            on n.trace_key = v.variant_key and n.activity_keys = v.activity_keys
        where v.process_key = {_OF}
    ))
"""
_KEEP = (
    f"""
    insert into trace
    select {_OF}, f.trace_key, f.activity_keys
    from found_new_trace as f
    where f.trace_key not in (select trace_key from trace where process_key = {_OF})
    """,
    f"""
    insert into trace_deviation
    select {_OF}, f.model, f.trace_key, f.number, f.kind, f.activity, f.instead,
        f.expected_after, f.element_id
    from found_new_deviation as f
    anti join (select columns(*) from alignment where process_key = {_OF}) as a
        using (model, trace_key)
    where {_STANDS}
    """,
    f"""
    insert into alignment
    select {_OF}, f.model, f.trace_key, f.cost
    from found_new_alignment as f
    anti join (select columns(*) from alignment where process_key = {_OF}) as a
        using (model, trace_key)
    where {_STANDS}
    """,
)
_KEEP_TRACED = (
    f"delete from traced_case where process_key = {_OF}",
    f"insert into traced_case select {_OF}, f.case_key, f.trace_key from found_traced as f",
    f"delete from traced_load where process_key = {_OF}",
)
_KEEP_LAST = f"insert into traced_load select {_OF}, $last::integer"


def _called(workflow: Workflow) -> str:
    version = f", version {workflow.version}" if workflow.version else ""
    return f"The model {workflow.model.name!r}{version}"


def _part(tell: Progress, number: int, parts: int) -> Progress:
    return lambda share: tell((number + share) / parts)


def _missing(log: EventLog, workflow: Workflow) -> pl.DataFrame:
    """The traces of cases of this model that are not aligned with it; `_TRACE`."""
    return log.query(_MISSING, _TRACE, model=workflow.key)


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
