"""What a model allows next, after any beginning of a trace."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Protocol

from miner.discovery.derivatives import TreeStates
from miner.discovery.markings import NetStates
from miner.model.process_model import ProcessModel

_MOST_NODES = 100_000


class States(Protocol):
    """The states of a model, each known by a number; 0 is where a case starts."""

    exhausted: bool
    """Whether there were too many; all answers are worthless then."""

    def moves(self, state: int) -> Mapping[str, Sequence[int]]:
        """The states that each activity possible now leads to."""

    def accepts(self, state: int) -> bool:
        """Whether a case may end here."""


class Automaton:
    """The deterministic automaton of a model's language, built only where it is walked on.

    A set of states of the model is one state here, so that what the model did silently need not be
    guessed. Once the model turns out to have too many states, `exhausted` is true and all answers
    given are worthless.
    """

    def __init__(self, model: ProcessModel) -> None:
        self._states: States = (
            NetStates(model.net) if model.tree is None else TreeStates(model.tree)
        )
        self._sets: list[tuple[int, ...]] = [(0,)]
        self._numbers: dict[tuple[int, ...], int] = {(0,): 0}
        self._moves: dict[int, dict[str, int]] = {}
        self._accepts: dict[int, bool] = {}
        self._size = 0

    @property
    def exhausted(self) -> bool:
        """Whether the model turned out to have too many states."""
        return self._size > _MOST_NODES or self._states.exhausted

    def moves(self, state: int) -> dict[str, int]:
        """For each activity the model allows in `state`, the state it leads to; 0 is the first."""
        if state not in self._moves:
            self._moves[state] = self._expanded(state)
        return self._moves[state]

    def accepts(self, state: int) -> bool:
        """Whether a trace that led to `state` is complete."""
        if state not in self._accepts:
            self._accepts[state] = any(map(self._states.accepts, self._sets[state]))
        return self._accepts[state]

    def _expanded(self, state: int) -> dict[str, int]:
        targets: dict[str, set[int]] = defaultdict(set)
        for inner in self._sets[state]:
            moves = self._states.moves(inner)
            if self.exhausted:
                return {}
            self._size += len(moves)
            for label, found in moves.items():
                targets[label].update(found)
        return {label: self._number(tuple(sorted(found))) for label, found in targets.items()}

    def _number(self, states: tuple[int, ...]) -> int:
        if states not in self._numbers:
            self._numbers[states] = len(self._sets)
            self._sets.append(states)
        return self._numbers[states]
