"""Workflow nets: Petri nets with one way in and one way out, as plain immutable data."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Marking = tuple[tuple[str, int], ...]
"""Tokens by place: pairs of place and count, in the order of the places, without zeros."""


@dataclass(frozen=True)
class Transition:
    """A step of the net; `label` is the activity, null when firing it leaves no event.

    `element_id` leads back to the definition the net was made from (the id of a BPMN element, the
    name of a state, …) and is null when there is none.
    """

    id: str
    label: str | None
    element_id: str | None = None


@dataclass(frozen=True)
class Arc:
    """From a place to a transition or back; firing moves `weight` tokens along it."""

    source: str
    target: str
    weight: int = 1


@dataclass(frozen=True)
class WorkflowNet:
    """Places, transitions, arcs, the marking a case starts with and the one it ends with.

    Ids are unique over places and transitions together. Nothing here says that the net is sound.

    Source: van der Aalst, Process Mining, 2nd ed. (2016), section 3.2.3.
    """

    places: tuple[str, ...]
    transitions: tuple[Transition, ...]
    arcs: tuple[Arc, ...]
    initial: Marking
    final: Marking

    def inputs(self) -> dict[str, list[Arc]]:
        """For each place and transition, the arcs that end in it."""
        found: dict[str, list[Arc]] = {node: [] for node in self._nodes()}
        for arc in self.arcs:
            found[arc.target].append(arc)
        return found

    def outputs(self) -> dict[str, list[Arc]]:
        """For each place and transition, the arcs that start in it."""
        found: dict[str, list[Arc]] = {node: [] for node in self._nodes()}
        for arc in self.arcs:
            found[arc.source].append(arc)
        return found

    def labels(self) -> tuple[str, ...]:
        """The activities of the transitions, repeated where transitions share one."""
        return tuple(t.label for t in self.transitions if t.label is not None)

    def _nodes(self) -> tuple[str, ...]:
        return (*self.places, *(transition.id for transition in self.transitions))


@dataclass(frozen=True)
class Step:
    """A transition while a net is being built: its label, the places around it, its element."""

    label: str | None
    before: tuple[str, ...]
    after: tuple[str, ...]
    element_id: str | None = None


def net_of(steps: Sequence[Step], source: str, sink: str) -> WorkflowNet:
    """The net of `steps` with one token in `source` at the start and in `sink` at the end.

    Silent steps that only pass a token on are merged away where that keeps the language and a
    choice stays a choice. Places are named p1, p2, … and transitions t1, t2, … in the order in
    which they are reached from the source; what is not reached comes last. Places without any
    step are left out, except source and sink.
    """
    kept = _Reduction(steps, source, sink)
    kept.run()
    return _named(list(kept.steps.values()), kept.source, kept.sink)


class _Reduction:
    """Series fusion of silent transitions (Murata 1989, section V.A), until nothing changes."""

    def __init__(self, steps: Sequence[Step], source: str, sink: str) -> None:
        self.steps = dict(enumerate(steps))
        self.source, self.sink = source, sink
        self._producers: dict[str, set[int]] = defaultdict(set)
        self._consumers: dict[str, set[int]] = defaultdict(set)
        for number, step in self.steps.items():
            self._link(number, step)

    def run(self) -> None:
        changed = True
        while changed:
            changed = False
            for number in list(self.steps):
                step = self.steps.get(number)
                if step is not None and self._removed(number, step):
                    changed = True
        self._drop_doubles()

    def _removed(self, number: int, step: Step) -> bool:
        """Whether `step` was silent, passed one token from one place to another, and is gone."""
        if step.label is not None or len(step.before) != 1 or len(step.after) != 1:
            return False
        p, q = step.before[0], step.after[0]
        if p == q:
            self._unlink(number)
            return True
        if not self._may_merge(number, p, q):
            return False
        self._unlink(number)
        for other in self._producers[p] | self._consumers[p]:
            self._replace(other, p, q)
        self.source = q if p == self.source else self.source
        return True

    def _may_merge(self, number: int, p: str, q: str) -> bool:
        if (p, q) == (self.source, self.sink) or p == self.sink or q == self.source:
            return False
        rest = self._consumers[p] - {number}, self._producers[q] - {number}
        # Two tokens on one arc, or a way back into the source or out of the sink, would follow.
        if self._producers[p] & rest[1] or self._consumers[q] & rest[0]:
            return False
        if not rest[0]:
            return p != self.source or not rest[1]
        return (
            not rest[1]
            and q != self.sink
            and all(len(self.steps[other].before) == 1 for other in self._consumers[q])
        )

    def _link(self, number: int, step: Step) -> None:
        for place in step.before:
            self._consumers[place].add(number)
        for place in step.after:
            self._producers[place].add(number)

    def _unlink(self, number: int) -> None:
        step = self.steps.pop(number)
        for place in step.before:
            self._consumers[place].discard(number)
        for place in step.after:
            self._producers[place].discard(number)

    def _replace(self, number: int, old: str, new: str) -> None:
        step = self.steps[number]
        self._unlink(number)
        before = tuple(new if place == old else place for place in step.before)
        after = tuple(new if place == old else place for place in step.after)
        self.steps[number] = Step(step.label, before, after, step.element_id)
        self._link(number, self.steps[number])

    def _drop_doubles(self) -> None:
        seen: set[tuple[frozenset[str], frozenset[str]]] = set()
        for number, step in list(self.steps.items()):
            key = (frozenset(step.before), frozenset(step.after))
            if step.label is None and key in seen:
                self._unlink(number)
            elif step.label is None:
                seen.add(key)


def _named(steps: Sequence[Step], source: str, sink: str) -> WorkflowNet:
    places, order = _reached(steps, source, sink)
    rank = {place: number for number, place in enumerate(places, 1)}
    transitions = tuple(
        Transition(f"t{number}", steps[index].label, steps[index].element_id)
        for number, index in enumerate(order, 1)
    )
    arcs: list[Arc] = []
    for transition, index in zip(transitions, order, strict=True):
        step = steps[index]
        arcs += [
            Arc(f"p{number}", transition.id)
            for number in sorted(map(rank.__getitem__, step.before))
        ]
        arcs += [
            Arc(transition.id, f"p{number}") for number in sorted(map(rank.__getitem__, step.after))
        ]
    return WorkflowNet(
        tuple(f"p{number}" for number in rank.values()),
        transitions,
        tuple(arcs),
        ((f"p{rank[source]}", 1),),
        ((f"p{rank[sink]}", 1),),
    )


def _reached(steps: Sequence[Step], source: str, sink: str) -> tuple[list[str], list[int]]:
    """Places and numbers of steps, breadth first from the source; the sink comes last."""
    rank = _ranks(steps, source, sink)
    consumers: dict[str, list[int]] = defaultdict(list)
    for number in sorted(range(len(steps)), key=rank.__getitem__):
        for place in steps[number].before:
            consumers[place].append(number)
    places: dict[str, None] = {source: None}
    order: dict[int, None] = {}
    waiting = deque([source])
    rest = iter(sorted(range(len(steps)), key=rank.__getitem__))
    while waiting or len(order) < len(steps):
        found = consumers[waiting.popleft()] if waiting else [next(rest)]
        for number in found:
            if number not in order:
                order[number] = None
                around = (*steps[number].after, *steps[number].before)
                new = [place for place in around if place != sink and place not in places]
                places.update(dict.fromkeys(new))
                waiting.extend(new)
    places.pop(sink, None)
    return [*places, sink], list(order)


def _ranks(steps: Sequence[Step], source: str, sink: str) -> list[int]:
    """A rank for each step that depends on labels and neighbours, not on names (Weisfeiler-Leman).

    Steps of one rank look the same from everywhere, so that their order does not matter.
    """
    places = {place for step in steps for place in (*step.before, *step.after)}
    of_place = {place: (place == source) + 2 * (place == sink) for place in places}
    of_step = _ranked([(s.label is None, s.label or "", s.element_id or "") for s in steps])
    classes = 0
    while len(set(of_step)) + len(set(of_place.values())) > classes:
        classes = len(set(of_step)) + len(set(of_place.values()))
        around: dict[str, tuple[list[int], list[int]]] = {place: ([], []) for place in places}
        for step, rank in zip(steps, of_step, strict=True):
            for place in step.before:
                around[place][0].append(rank)
            for place in step.after:
                around[place][1].append(rank)
        names = list(places)
        keys = [(of_place[p], *(tuple(sorted(side)) for side in around[p])) for p in names]
        of_place = dict(zip(names, _ranked(keys), strict=True))
        of_step = _ranked(
            [
                (rank, _sorted(of_place, step.before), _sorted(of_place, step.after))
                for step, rank in zip(steps, of_step, strict=True)
            ]
        )
    return of_step


def _ranked(keys: Sequence[Any]) -> list[int]:
    rank = {key: number for number, key in enumerate(sorted(set(keys)))}
    return [rank[key] for key in keys]


def _sorted(ranks: Mapping[str, int], places: Sequence[str]) -> tuple[int, ...]:
    return tuple(sorted(ranks[place] for place in places))
