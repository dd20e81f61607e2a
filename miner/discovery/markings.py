"""The states of a workflow net: its reachable markings, silent transitions skipped over."""

from __future__ import annotations

from collections import Counter, defaultdict

from miner.model.workflow_net import Marking, WorkflowNet

_MOST_MARKINGS = 300_000
_MOST_TOKENS = 500
_Tokens = tuple[int, ...]


class NetStates:
    """The markings right after an activity; found when they are asked for.

    A marking is the sorted numbers of its marked places, one for each token. A net that is not
    bounded has ever more of them: after 300,000, or with 500 tokens in one, they are exhausted.
    """

    def __init__(self, net: WorkflowNet) -> None:
        number = {place: index for index, place in enumerate(net.places)}
        before, after = net.inputs(), net.outputs()
        self._labels = [transition.label for transition in net.transitions]
        self._inputs: list[Counter[int]] = []
        self._outputs: list[Counter[int]] = []
        self._by_input: dict[int, list[int]] = defaultdict(list)
        self._always: list[int] = []
        for index, transition in enumerate(net.transitions):
            taken = Counter({number[arc.source]: arc.weight for arc in before[transition.id]})
            self._inputs.append(taken)
            self._outputs.append(
                Counter({number[arc.target]: arc.weight for arc in after[transition.id]})
            )
            # One input is enough to find a transition by; a transition without any is always on.
            (self._by_input[min(taken)] if taken else self._always).append(index)
        self._final = _tokens(net.final, number)
        self._markings = [_tokens(net.initial, number)]
        self._numbers = {self._markings[0]: 0}
        self._seen = 0
        self.exhausted = False
        self._closures: dict[int, tuple[dict[str, list[int]], bool]] = {}

    def moves(self, state: int) -> dict[str, list[int]]:
        """The states that each activity possible in `state` leads to."""
        return self._closure(state)[0]

    def accepts(self, state: int) -> bool:
        """Whether the net can get from `state` to its final marking without any activity."""
        return self._closure(state)[1]

    def _closure(self, state: int) -> tuple[dict[str, list[int]], bool]:
        if state not in self._closures:
            self._closures[state] = self._explored(self._markings[state])
        return self._closures[state]

    def _explored(self, marking: _Tokens) -> tuple[dict[str, list[int]], bool]:
        moves: dict[str, dict[int, None]] = defaultdict(dict)
        seen = {marking}
        waiting = [marking]
        while waiting and not self.exhausted:
            self._seen += 1
            marking = waiting.pop()
            self.exhausted = self._seen > _MOST_MARKINGS or len(marking) > _MOST_TOKENS
            for label, after in self._fired(marking):
                if label is not None:
                    moves[label][self._number(after)] = None
                elif after not in seen:
                    seen.add(after)
                    waiting.append(after)
        return {label: list(found) for label, found in moves.items()}, self._final in seen

    def _fired(self, marking: _Tokens) -> list[tuple[str | None, _Tokens]]:
        """Label of each enabled transition and the marking after it."""
        tokens = Counter(marking)
        candidates = [t for place in tokens for t in self._by_input.get(place, ())]
        found = []
        for transition in (*candidates, *self._always):
            if self._inputs[transition] <= tokens:
                after = tokens - self._inputs[transition] + self._outputs[transition]
                found.append((self._labels[transition], tuple(sorted(after.elements()))))
        return found

    def _number(self, marking: _Tokens) -> int:
        if marking not in self._numbers:
            self._numbers[marking] = len(self._markings)
            self._markings.append(marking)
        return self._numbers[marking]


def _tokens(marking: Marking, number: dict[str, int]) -> _Tokens:
    return tuple(sorted(number[place] for place, count in marking for _ in range(count)))
