"""One case beside its model, move by move."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from miner.conformance.alignments import alignment_of
from miner.conformance.deviations import deviations
from miner.conformance.held import hold
from miner.conformance.sentences import sentence
from miner.conformance.traces import INSTANCES, lay_traces
from miner.conformance.workflows import Workflow, Workflows
from miner.errors import InputError
from miner.eventlog.filters import Condition, LogFilter
from miner.eventlog.log import EventLog
from miner.eventlog.schema import INSTANT

CASE_MOVES = pl.Schema(
    {
        "move": pl.String(),
        "activity": pl.String(),
        "number": pl.Int64(),
        "timestamp": INSTANT,
        "resource": pl.String(),
        "element_id": pl.String(),
        "kind": pl.String(),
        "sentence": pl.String(),
    }
)
_INSTANCES = pl.Schema(
    {
        "number": pl.Int64(),
        "activity": pl.String(),
        "timestamp": INSTANT,
        "resource": pl.String(),
    }
)


@dataclass(frozen=True)
class CaseAlignment:
    """An optimal alignment of one case with the model it is held against.

    `moves` has a row per move that is not silent, in their order: `move` is `both`, `log` (the
    event has no place in the model) or `model` (the model asks for what was not done); `number` is
    that of the activity instance in the case. `kind` and `sentence` name the deviation, at the
    event where there is one.
    """

    case_id: str
    model: str
    version: str | None
    cost: int
    conforms: bool
    moves: pl.DataFrame
    """`CASE_MOVES`."""


def align_case(log: EventLog, workflows: Workflows, case_id: str) -> CaseAlignment:
    """The alignment of a closed case; raises InputError for one that runs or has no model."""
    one = log.filter(LogFilter((Condition("case", case_id),)))
    held = hold(one, workflows)
    judged = one.row_or_none("select model, trace_key from judged_case")
    by_key = {each.key: each for each in workflows.workflows}
    if judged is None or judged["model"] not in by_key:
        raise _not_judged(one, case_id)
    workflow = by_key[judged["model"]]
    lay_traces(one)
    instances = one.query(_TRACE, _INSTANCES)
    found = {
        (row["kind"] == "skipped", row["number"], row["activity"]): row
        for row in deviations(held).iter_rows(named=True)
    }
    rows = _moves(workflow, instances, found)
    cost = int(
        one.row("select cost from aligned join judged_case using (model, trace_key)")["cost"]
    )
    return CaseAlignment(
        case_id,
        workflow.model.name,
        workflow.version,
        cost,
        cost == 0,
        pl.DataFrame(rows, schema=CASE_MOVES, orient="row"),
    )


def _moves(
    workflow: Workflow,
    instances: pl.DataFrame,
    found: dict[tuple[bool, int | None, str], dict[str, object]],
) -> list[tuple[object, ...]]:
    done = instances.rows(named=True)
    rows: list[tuple[object, ...]] = []
    for move in alignment_of(workflow.model, list(instances["activity"])):
        if move.silent:
            continue
        event = done[move.number - 1] if move.number is not None else None
        number = event["number"] if event else None
        row = found.get((event is None, number, str(move.activity)))
        element = (
            None
            if move.transition is None
            else workflow.model.net.transitions[move.transition].element_id
        )
        rows.append(
            (
                "both" if move.kind == "sync" else move.kind,
                move.activity,
                number,
                event["timestamp"] if event else None,
                event["resource"] if event else None,
                element,
                row["kind"] if row and move.kind != "sync" else None,
                sentence(row) if row and move.kind != "sync" else None,
            )
        )
    return rows


def _not_judged(log: EventLog, case_id: str) -> InputError:
    status = log.row_or_none('select status::varchar as status from "case"')
    if status is None:
        return InputError(f"There is no case {case_id!r} in {log.process!r}.")
    if status["status"] == "running":
        return InputError(
            f"The case {case_id!r} still runs; what it lacks may yet come.",
            hint="Ask again when it has ended.",
        )
    return InputError(
        f"No modelled workflow is known for the version that the case {case_id!r} ran on.",
        hint=f"See `procession models {log.process}`; add one with `procession model add`.",
    )


_TRACE = f"""
select
    i.number,
    a.activity,
    coalesce(i.completed_at, i.started_at) as timestamp,
    r.resource
from ({INSTANCES}) as i
join activity as a using (activity_key)
left join resource as r using (resource_key)
order by i.position
"""
