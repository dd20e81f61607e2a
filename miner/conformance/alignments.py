"""Optimal alignments of traces with a model: what each event is in the model, and what is missing.

A move costs 1 when the log does it alone (an event that the model does not allow there) or when the
model does it alone (an activity that it asks for and the trace lacks); what both do, and what the
model does silently, costs nothing. An optimal alignment is one of least cost.

Source: Adriansyah, Aligning Observed and Modeled Behavior (2014).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from miner.conformance.coded_traces import Ints, Longs, Traces
from miner.conformance.net_states import graph_of
from miner.conformance.portions import Watch
from miner.conformance.replay import Move, with_silent
from miner.conformance.search_alignment import by_search
from miner.conformance.tree_alignment import TreeProgram, program_of
from miner.conformance.trie_alignment import Found, by_states, by_tree
from miner.model.process_model import ProcessModel

MOVES = pl.Schema(
    {
        "trace": pl.Int32(),
        "number": pl.Int32(),
        "kind": pl.Enum(["log", "model"]),
        "transition": pl.Int32(),
    }
)
Method = Literal["tree", "states", "search"]
__all__ = ["MOVES", "Alignments", "Method", "Move", "Traces", "align", "alignment_of"]


@dataclass(frozen=True)
class Alignments:
    """Optimal alignments of traces with a model.

    `costs` has the cost of each trace, -1 where there is none; `exact` says for each trace whether
    that is the least cost, else it is only an upper bound. `moves` (see `MOVES`) has a row per move
    that is not of both and not silent, in the order of the traces and of the moves in them:
    `number` is the position (from 1) of the event, or of the event that a model move comes before
    (one more than the length of the trace at its end); `transition` is the index of the transition
    in the net, null for log moves. `matched` counts for each transition the events that are its
    own, weighted. `shortest` is the cost of the empty trace, null when the model cannot end.
    """

    costs: npt.NDArray[np.int32]
    exact: npt.NDArray[np.bool_]
    moves: pl.DataFrame
    matched: npt.NDArray[np.int64]
    shortest: int | None
    method: Method


def align(
    model: ProcessModel,
    traces: Traces,
    *,
    weights: npt.NDArray[Any] | None = None,
    seconds: float = 300.0,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Alignments:
    """An optimal alignment of each trace with `model`.

    * A process tree whose activities are all different is aligned block by block (`tree`).
    * Another net of at most 50,000 reachable markings by these (`states`).
    * Any other net by a search (`search`). A trace that the search gives up, or that is not reached
      in about `seconds`, gets an upper bound: its length and `shortest`, without moves.

    Traces that were not reached when `cancelled` returned true have no cost. `weights` are the
    cases of each trace, 1 each by default; `progress` is told the share that is done.

    Of several optimal alignments it is the one that, read from the start, has as early as possible
    a move of both before one of the log before one of the model, and among these the transition of
    the lowest index; in a tree that holds in each block. So the answer does not depend on what else
    is aligned. A model that cannot end gives no cost at all.
    """
    watch = Watch(seconds, progress, cancelled)
    found, shortest, method = _found(model, traces, watch)
    exact = found.costs >= 0
    costs = found.costs
    if shortest is not None and not watch.stopped:
        costs = np.where(exact, costs, traces.lengths() + shortest).astype(np.int32)
    return Alignments(
        costs,
        exact,
        _moves(traces, found, exact),
        _weighted(traces, found.matched, weights, len(model.net.transitions)),
        shortest,
        method,
    )


def _found(model: ProcessModel, traces: Traces, watch: Watch) -> tuple[Found, int | None, Method]:
    """Alignments, the cost of the empty trace, and how they were made."""
    program = _program(model)
    if program is not None:
        return by_tree(program, traces, watch), program.shortest, "tree"
    graph = graph_of(model.net)
    if graph is None:
        return *by_search(model.net, traces, watch), "search"
    if not graph.states:
        return Found.nothing(traces), None, "states"
    return by_states(graph, traces, watch), int(graph.ahead[graph.start]), "states"


def _program(model: ProcessModel) -> TreeProgram | None:
    if model.tree is None:
        return None
    transitions = {
        transition.label: index
        for index, transition in enumerate(model.net.transitions)
        if transition.label is not None
    }
    return program_of(model.tree, transitions)


def _moves(traces: Traces, found: Found, exact: npt.NDArray[np.bool_]) -> pl.DataFrame:
    extra = np.flatnonzero(found.matched < 0)
    trace = traces.trace_of(extra)
    known = exact[trace]
    extra, trace = extra[known], trace[known]
    log = pl.DataFrame(
        {"trace": trace, "number": (extra - traces.offsets[trace] + 1).astype(np.int32)}
    )
    model = pl.DataFrame(dict(zip(("trace", "number", "transition"), found.moves.T, strict=True)))
    both = pl.concat(
        [model.with_columns(kind=pl.lit("model")), log.with_columns(kind=pl.lit("log"))],
        how="diagonal",
    )
    # A model move comes before the event of its number.
    last = pl.col("kind") == "log"
    return both.sort("trace", "number", last, maintain_order=True).select(MOVES.names()).cast(MOVES)


def _weighted(
    traces: Traces, matched: Ints, weights: npt.NDArray[Any] | None, transitions: int
) -> Longs:
    events = np.flatnonzero(matched >= 0)
    own = None if weights is None else np.asarray(weights)[traces.trace_of(events)]
    return np.bincount(matched[events], own, transitions).astype(np.int64)


def alignment_of(model: ProcessModel, trace: Sequence[str]) -> list[Move]:
    """The full alignment of one trace, with the moves of both and the silent ones, in order.

    The visible moves are those of `align`. Empty when the model cannot end, or when the trace could
    not be aligned exactly.
    """
    traces = Traces.of([trace])
    found, _, _ = _found(model, traces, Watch(60.0))
    if found.costs[0] < 0:
        return []
    labels = [transition.label for transition in model.net.transitions]
    alone = [(number, transition) for _, number, transition in found.moves.tolist()]
    moves: list[Move] = []
    for number, (activity, matched) in enumerate(
        zip((*trace, None), (*found.matched.tolist(), -1), strict=True), 1
    ):
        moves += [Move(None, t, labels[t]) for at, t in alone if at == number]
        if activity is not None:
            moves.append(Move(number, None if matched < 0 else matched, activity))
    return with_silent(model.net, moves)
