"""The reachable markings of a net as arrays, for alignments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from miner.model.workflow_net import Marking, WorkflowNet

Ints = npt.NDArray[np.int32]

MOST_STATES = 50_000
_MOST_BYTES = 256_000_000
_BITS = 8
_MOST_TOKENS = (1 << _BITS) - 1
"""In one place; a marking is one large number with so many bits for each place."""


@dataclass(frozen=True)
class NetGraph:
    """The markings from which the net can still end, numbered, and the steps between them.

    Steps are in the order of their `source`, then of their `transition`. `ahead` is the number of
    activities that the net needs at least to end from each marking.
    """

    start: int
    final: int
    source: Ints
    transition: Ints
    target: Ints
    ahead: Ints
    labels: tuple[str | None, ...]
    """The activity of each transition of the net, null for a silent one."""

    @property
    def states(self) -> int:
        """The number of markings."""
        return len(self.ahead)


def graph_of(net: WorkflowNet, *, most_states: int = MOST_STATES) -> NetGraph | None:
    """The graph of the markings of `net`; null when there are more than `most_states`.

    Null as well when more than 255 tokens meet in one place. A net that cannot get from its
    initial to its final marking has a graph without any state.
    """
    firing = Firing(net)
    if firing.too_heavy:
        return None
    most = min(most_states, _MOST_BYTES // max(1, len(net.places)))
    numbers = {firing.initial: 0}
    waiting = [firing.initial]
    source, transition, target = [], [], []
    for number, marking in enumerate(waiting):
        for fired, after in firing.steps(marking):
            if after < 0 or len(waiting) > most:
                return None
            found = numbers.setdefault(after, len(waiting))
            if found == len(waiting):
                waiting.append(after)
            source.append(number)
            transition.append(fired)
            target.append(found)
    labels = tuple(transition.label for transition in net.transitions)
    return _ending(
        np.array(source, np.int32),
        np.array(transition, np.int32),
        np.array(target, np.int32),
        len(waiting),
        numbers.get(firing.final, -1),
        labels,
    )


class Firing:
    """Firing of transitions on markings packed into numbers."""

    too_heavy: bool
    """Whether a weight or a marking of the net is too large to be packed; do not fire then."""

    def __init__(self, net: WorkflowNet) -> None:
        self._shift = {place: _BITS * index for index, place in enumerate(net.places)}
        before, after = net.inputs(), net.outputs()
        self._needs: list[list[tuple[int, int]]] = []
        self._gives: list[list[tuple[int, int]]] = []
        self._consumers: dict[int, list[int]] = defaultdict(list)
        for index, transition in enumerate(net.transitions):
            needs = self._weights((arc.source, arc.weight) for arc in before[transition.id])
            self._needs.append(needs)
            self._gives.append(
                self._weights((arc.target, arc.weight) for arc in after[transition.id])
            )
            # One input is enough to find a transition by.
            self._consumers[needs[0][0] if needs else -1].append(index)
        heaviest = [w for arcs in (*self._needs, *self._gives) for _, w in arcs]
        tokens = [count for marking in (net.initial, net.final) for _, count in marking]
        self.too_heavy = max([*heaviest, *tokens], default=0) > _MOST_TOKENS
        self.initial, self.final = self._packed(net.initial), self._packed(net.final)

    def steps(self, marking: int) -> list[tuple[int, int]]:
        """Each enabled transition and the marking after it, -1 when a place overflows."""
        candidates = list(self._consumers.get(-1, ()))
        data = marking.to_bytes((marking.bit_length() + 7) // 8, "little")
        for place, tokens in enumerate(data):
            if tokens:
                candidates += self._consumers.get(place * _BITS, ())
        return [
            (number, self._fired(marking, number))
            for number in sorted(candidates)
            if all((marking >> at) & _MOST_TOKENS >= weight for at, weight in self._needs[number])
        ]

    def _fired(self, marking: int, number: int) -> int:
        for at, weight in self._needs[number]:
            marking -= weight << at
        for at, weight in self._gives[number]:
            if ((marking >> at) & _MOST_TOKENS) + weight > _MOST_TOKENS:
                return -1
            marking += weight << at
        return marking

    def _weights(self, arcs: Iterable[tuple[str, int]]) -> list[tuple[int, int]]:
        found: dict[int, int] = defaultdict(int)
        for place, weight in arcs:
            found[self._shift[place]] += weight
        return sorted(found.items())

    def _packed(self, marking: Marking) -> int:
        return sum(count << self._shift[place] for place, count in marking)


def _ending(
    source: Ints,
    transition: Ints,
    target: Ints,
    states: int,
    final: int,
    labels: tuple[str | None, ...],
) -> NetGraph:
    """The part of a graph from which its `final` state can be reached; it starts in state 0."""
    visible = np.array([label is not None for label in labels], bool)
    ahead = _distances(source, target, visible[transition].astype(np.int32), states, final)
    kept = ahead >= 0
    if not kept[0]:
        nothing = np.zeros(0, np.int32)
        return NetGraph(-1, -1, nothing, nothing, nothing, nothing, labels)
    number = np.cumsum(kept, dtype=np.int32) - 1
    inside = kept[source] & kept[target]
    return NetGraph(
        0,
        int(number[final]),
        number[source[inside]],
        transition[inside],
        number[target[inside]],
        ahead[kept],
        labels,
    )


def _distances(source: Ints, target: Ints, cost: Ints, states: int, final: int) -> Ints:
    """The least cost from each state to `final`, -1 where there is no way."""
    from miner.conformance import state_kernels

    offsets, order = state_kernels.grouped(target, states)
    found: Ints = state_kernels.distances(offsets, source[order], cost[order], states, final)
    return found
