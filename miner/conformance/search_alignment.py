"""Optimal alignments by search, for nets with too many markings to list."""

from __future__ import annotations

import numpy as np

from miner.conformance.coded_traces import Traces
from miner.conformance.portions import Watch
from miner.conformance.trie_alignment import Found
from miner.model.workflow_net import WorkflowNet
from miner.r4pm_bridge import Alignment, PlainNet, alignments, empty_alignment


def by_search(net: WorkflowNet, traces: Traces, watch: Watch) -> tuple[Found, int | None]:
    """Alignments of the traces that were reached and not given up, and the cost of the empty one.

    The latter is null when the net was not seen to reach its end; then there is no alignment.
    """
    found = Found.nothing(traces)
    plain = PlainNet(
        net.places,
        {transition.id: transition.label for transition in net.transitions},
        [(arc.source, arc.target, arc.weight) for arc in net.arcs],
        dict(net.initial),
        dict(net.final),
    )
    empty = empty_alignment(plain)
    if empty is None:
        return found, None
    labels = [transition.label for transition in net.transitions]
    numbers = {label: n for n, label in enumerate(traces.labels) if label in set(labels)}
    known = traces.recoded(numbers) >= 0
    # Events of activities that the model does not have cost 1 each in any alignment.
    places = [
        begin + np.flatnonzero(known[begin:end])
        for begin, end in zip(traces.offsets[:-1], traces.offsets[1:], strict=True)
    ]
    projected = [tuple(traces.labels[code] for code in traces.codes[each]) for each in places]
    aligned = alignments(plain, projected, over=watch.over) if traces else {}
    aligned[()] = empty
    moves: list[tuple[int, int, int]] = []
    for trace, (events, activities) in enumerate(zip(places, projected, strict=True)):
        one = aligned.get(activities)
        if one is not None:
            length = int(traces.offsets[trace + 1] - traces.offsets[trace])
            found.costs[trace] = one.cost + length - len(events)
            ends = np.append(events, traces.offsets[trace + 1])
            moves += _placed(one, trace, ends - traces.offsets[trace], labels)
            for event, transition in one.moves:
                if event is not None and transition is not None:
                    found.matched[events[event]] = transition
    rows = np.array(moves, np.int32).reshape(-1, 3)
    return Found(found.costs, found.matched, rows), empty.cost


def _placed(
    one: Alignment, trace: int, numbers: np.ndarray, labels: list[str | None]
) -> list[tuple[int, int, int]]:
    """The visible moves of the model alone, each before the next event of both."""
    placed: list[tuple[int, int, int]] = []
    next_event = len(numbers) - 1
    for event, transition in reversed(one.moves):
        if event is not None and transition is not None:
            next_event = event
        elif event is None and transition is not None and labels[transition] is not None:
            placed.append((trace, int(numbers[next_event]) + 1, transition))
    return placed[::-1]
