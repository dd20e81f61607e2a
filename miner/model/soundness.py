"""Whether a net can always be carried to its end, and if not, where it cannot."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from dataclasses import dataclass

from miner.model.workflow_net import Marking, Transition, WorkflowNet

_Tokens = tuple[int, ...]
_MOST_NAMED = 5
_MOST_TOKENS = 20_000_000
"""Tokens moved in all before the look at a net with very many of them is given up."""


@dataclass(frozen=True)
class Soundness:
    """Whether a net is sound, why not in a sentence, and the ids of the transitions concerned.

    `sound` is null when the net has more states than were looked at and no fault was found in
    those. The transitions are the ones that wait in vain, never fire, or repeat without end.
    """

    sound: bool | None
    reason: str
    transitions: tuple[str, ...] = ()


def soundness(net: WorkflowNet, *, most_states: int = 50_000) -> Soundness:
    """Whether `net` is sound: bounded, always able to end, ending clean, without dead transitions.

    Decided by looking at every marking that can be reached, `most_states` at most. The first of
    these faults is named: the number of tokens has no bound; a case can end with tokens left over;
    a case can get stuck, or go on for ever without a way to the end; a transition can never fire.
    The sentence names transitions by label and element id, and the activities on a shortest way.

    Source: van der Aalst, Process Mining, 2nd ed. (2016), definition 3.5.
    """
    return _Check(net, most_states).result()


class _Check:
    def __init__(self, net: WorkflowNet, most_states: int) -> None:
        self._net = net
        self._most = most_states
        number = {place: index for index, place in enumerate(net.places)}
        inputs, outputs = net.inputs(), net.outputs()
        self._takes = [
            Counter({number[a.source]: a.weight for a in inputs[t.id]}) for t in net.transitions
        ]
        self._gives = [
            Counter({number[a.target]: a.weight for a in outputs[t.id]}) for t in net.transitions
        ]
        self._by_place: dict[int, list[int]] = defaultdict(list)
        self._always: list[int] = []
        for index, taken in enumerate(self._takes):
            (self._by_place[min(taken)] if taken else self._always).append(index)
        self._final = _tokens(net.final, number)
        start = _tokens(net.initial, number)
        self._numbers: dict[_Tokens, int] = {start: 0}
        self._markings = [start]
        self._from: list[tuple[int, int]] = [(-1, -1)]
        self._edges: list[list[int]] = []
        self._fired: set[int] = set()
        self._moved = 0

    def result(self) -> Soundness:
        fault = self._explored()
        if fault is not None:
            return fault
        complete = len(self._edges) == len(self._markings)
        fault = self._stuck(complete) or (self._dead() if complete else None)
        if fault is not None:
            return fault
        if complete:
            return Soundness(True, f"Sound: all {len(self._markings):,} states can reach the end.")
        return Soundness(
            None,
            f"Not known: there are too many states; in the {len(self._edges):,} looked at, no "
            "fault was found.",
        )

    def _explored(self) -> Soundness | None:
        """Visit the markings; returns the fault that made it pointless to go on."""
        final = Counter(self._final)
        waiting = deque([0])
        while waiting:
            state = waiting.popleft()
            tokens = self._markings[state]
            if tokens != self._final and final <= Counter(tokens):
                return self._left_over(state)
            if len(self._markings) > self._most or self._moved > _MOST_TOKENS:
                return None
            following = []
            for transition, after in self._moves(tokens):
                self._fired.add(transition)
                if after not in self._numbers:
                    self._numbers[after] = len(self._markings)
                    self._markings.append(after)
                    self._from.append((state, transition))
                    waiting.append(self._numbers[after])
                    if len(set(after)) < len(after) and self._grows(self._numbers[after]):
                        return self._unbounded(self._numbers[after])
                following.append(self._numbers[after])
            self._edges.append(following)
        return None

    def _moves(self, tokens: _Tokens) -> list[tuple[int, _Tokens]]:
        here = Counter(tokens)
        found = []
        numbers = [t for place in here for t in self._by_place.get(place, ())]
        for transition in (*numbers, *self._always):
            if self._enabled(transition, here):
                after = here.copy()
                after.subtract(self._takes[transition])
                after.update(self._gives[transition])
                found.append((transition, tuple(sorted(after.elements()))))
                self._moved += len(tokens)
        return found

    def _enabled(self, transition: int, here: Counter[int]) -> bool:
        return all(here[place] >= count for place, count in self._takes[transition].items())

    def _grows(self, state: int) -> bool:
        """Whether a marking on the way here was contained in this one, so that it can grow on."""
        tokens = Counter(self._markings[state])
        before = self._from[state][0]
        while before >= 0:
            earlier = self._markings[before]
            if len(earlier) < tokens.total() and Counter(earlier) <= tokens:
                return True
            before = self._from[before][0]
        return False

    def _unbounded(self, state: int) -> Soundness:
        crowded = [p for p, count in Counter(self._markings[state]).items() if count > 1]
        waiting = [t for t, taken in enumerate(self._takes) if taken.keys() & set(crowded)]
        last = self._from[state][1]
        reason = (
            f"Unbounded: {self._after(state)} the work before {self._names(waiting)} can pile up "
            f"without limit, because {self._names([last])} can be done again before it."
        )
        return Soundness(False, reason, self._ids([*waiting, last]))

    def _left_over(self, state: int) -> Soundness:
        left = Counter(self._markings[state]) - Counter(self._final)
        waiting = [t for t, taken in enumerate(self._takes) if taken.keys() & left.keys()]
        what = f"before {self._names(waiting)}" if waiting else "at the end, a second time"
        reason = (
            f"A case can end with work left over: {self._after(state)} the end is reached, and "
        )
        return Soundness(
            False, f"{reason}{left.total()} more token(s) are {what}.", self._ids(waiting)
        )

    def _stuck(self, complete: bool) -> Soundness | None:
        ends = self._numbers.get(self._final)
        if not complete:
            dead_ends = (n for n, after in enumerate(self._edges) if not after and n != ends)
            return next(map(self._stuck_at, dead_ends), None)
        backwards: list[list[int]] = [[] for _ in self._markings]
        for state, following in enumerate(self._edges):
            for after in following:
                backwards[after].append(state)
        safe = set() if ends is None else {ends}
        waiting = list(safe)
        while waiting:
            new = set(backwards[waiting.pop()]) - safe
            safe |= new
            waiting += new
        lost = [state for state in range(len(self._markings)) if state not in safe]
        if not lost:
            return None
        stopped = [state for state in lost if not self._edges[state]]
        return self._stuck_at(stopped[0]) if stopped else self._circling(lost)

    def _stuck_at(self, state: int) -> Soundness:
        here = set(self._markings[state])
        waiting = [t for t, taken in enumerate(self._takes) if taken.keys() & here]
        why = f"{self._names(waiting)} waits in vain" if waiting else "nothing follows"
        return Soundness(
            False, f"A case can get stuck: {self._after(state)} {why}.", self._ids(waiting)
        )

    def _circling(self, lost: list[int]) -> Soundness:
        inside = sorted({t for n in lost for t, _ in self._moves(self._markings[n])})
        reason = (
            f"A case can go on for ever: {self._after(lost[0])} only {self._names(inside)} can "
            "happen, and the end is out of reach."
        )
        return Soundness(False, reason, self._ids(inside))

    def _dead(self) -> Soundness | None:
        dead = [t for t in range(len(self._takes)) if t not in self._fired]
        if not dead:
            return None
        return Soundness(False, f"Never possible: {self._names(dead)}.", self._ids(dead))

    def _after(self, state: int) -> str:
        """The activities on a shortest way to a state, the last ones of many."""
        labels = []
        while state > 0:
            state, transition = self._from[state]
            label = self._net.transitions[transition].label
            labels += [] if label is None else [repr(label)]
        if not labels:
            return "from the start"
        shown = ", ".join(reversed(labels[:_MOST_NAMED]))
        return f"after {'… ' if len(labels) > _MOST_NAMED else ''}{shown}"

    def _names(self, transitions: list[int]) -> str:
        found = list(dict.fromkeys(_name(self._net.transitions[t]) for t in transitions))
        more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
        return ", ".join(found[:_MOST_NAMED]) + more

    def _ids(self, transitions: list[int]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._net.transitions[t].id for t in transitions))


def _name(transition: Transition) -> str:
    element = transition.element_id
    if transition.label is None:
        return f"the silent step of element {element!r}" if element else f"the step {transition.id}"
    return f"{transition.label!r}" + (f" (element {element!r})" if element else "")


def _tokens(marking: Marking, number: dict[str, int]) -> _Tokens:
    return tuple(sorted(number[place] for place, count in marking for _ in range(count)))
