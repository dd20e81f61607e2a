"""Optimal alignments by programs that read traces from their ends, sharing what ends alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from miner.conformance.coded_traces import Ints, Longs, Traces, backward_order
from miner.conformance.net_states import NetGraph
from miner.conformance.portions import Watch, in_portions
from miner.conformance.tree_alignment import TreeProgram

_MOST_NUMBERS = 100_000_000
"""For the costs of one trace, 4 bytes each; a longer trace is left alone."""


@dataclass(frozen=True)
class Found:
    """Alignments of some of the traces.

    `costs` is -1 for those that were not reached. `matched` has the transition of each event, -1
    where the log moves alone; `moves` a row per move of the model alone: trace, number of the event
    it comes before, transition.
    """

    costs: Ints
    matched: Ints
    moves: Ints

    @classmethod
    def nothing(cls, traces: Traces) -> Found:
        """No alignment of any trace yet."""
        return cls(
            np.full(len(traces), -1, np.int32),
            np.full(len(traces.codes), -1, np.int32),
            np.empty((0, 3), np.int32),
        )


def by_tree(program: TreeProgram, traces: Traces, watch: Watch) -> Found:
    """Alignments with a process tree."""
    from miner.conformance import tree_kernels

    codes = traces.recoded({label: code for code, label in enumerate(program.labels)})
    elements = tree_kernels.all_elements(codes, traces.offsets, program.blocks)

    def align(order: Longs, begin: int, end: int, found: Found) -> Ints:
        moves: Ints = tree_kernels.align_range(
            codes, traces.offsets, order, begin, end, program.blocks, found.costs, found.matched
        )
        return moves

    return _aligned(traces, codes, elements, align, watch)


def by_states(graph: NetGraph, traces: Traces, watch: Watch) -> Found:
    """Alignments with the reachable markings of a net."""
    from miner.conformance import state_kernels

    names = dict.fromkeys(label for label in graph.labels if label is not None)
    numbers = {label: number for number, label in enumerate(names)}
    codes = traces.recoded(numbers)
    steps = state_kernels.steps_of(
        graph.source,
        graph.transition,
        graph.target,
        graph.ahead,
        np.array([-1 if x is None else numbers[x] for x in graph.labels], np.int32),
        len(numbers),
    )

    def align(order: Longs, begin: int, end: int, found: Found) -> Ints:
        moves: Ints = state_kernels.align_range(
            codes, traces.offsets, order, begin, end, graph.start, steps, found.costs, found.matched
        )
        return moves

    return _aligned(traces, codes, (traces.lengths() + 1) * graph.states, align, watch)


def _aligned(
    traces: Traces,
    codes: Ints,
    elements: Longs,
    align: Callable[[Longs, int, int, Found], Ints],
    watch: Watch,
) -> Found:
    found = Found.nothing(traces)
    order = backward_order(traces.offsets, codes)
    order = order[elements[order] <= _MOST_NUMBERS]
    sizes = elements[order] * 4.0 + 1_000.0
    moves = in_portions(lambda begin, end: align(order, begin, end, found), sizes, watch)
    return Found(found.costs, found.matched, np.concatenate([found.moves, *moves]))
