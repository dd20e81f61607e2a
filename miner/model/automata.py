"""Small deterministic automata: intersected, and as small as they can be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Moves = NDArray[np.int64]
Accepting = NDArray[np.bool_]


@dataclass(frozen=True)
class Dfa:
    """A complete automaton: `moves[state, letter]`; 0 is dead, `start` is where words begin."""

    moves: Moves
    accepting: Accepting
    start: int

    @property
    def states(self) -> int:
        """How many states there are, the dead one included."""
        return len(self.accepting)


def everything(letters: int) -> Dfa:
    """The automaton of all words."""
    moves = np.array([[0] * letters, [1] * letters], dtype=np.int64)
    return Dfa(moves, np.array([False, True]), 1)


def both(left: Dfa, right: Dfa, most: int) -> Dfa | None:
    """The minimal automaton of the words of both; null when it takes more than `most` states."""
    letters = left.moves.shape[1]
    known = np.array([0], dtype=np.int64)
    fresh = _code(np.array([left.start]), np.array([right.start]), right)
    fresh = fresh[fresh > 0]
    while fresh.size:
        known = np.union1d(known, fresh)
        if known.size > most:
            return None
        found = _code(*_next(left, right, fresh), right).ravel()
        fresh = np.setdiff1d(found, known)
    moves = np.zeros((known.size, letters), dtype=np.int64)
    if known.size > 1:
        targets = _code(*_next(left, right, known[1:]), right)
        moves[1:] = np.searchsorted(known, targets)
    l_states, r_states = known // right.states, known % right.states
    accepting = left.accepting[l_states] & right.accepting[r_states]
    start = _code(np.array([left.start]), np.array([right.start]), right)
    return minimal(Dfa(moves, accepting, int(np.searchsorted(known, start[0]))))


def minimal(dfa: Dfa) -> Dfa:
    """The smallest automaton of the same words (Moore 1956); 0 stays the dead state."""
    classes = dfa.accepting.astype(np.int64)
    count = len(np.unique(classes))
    while True:
        keys = np.column_stack([classes, classes[dfa.moves]])
        _, first, classes = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        classes = classes.reshape(-1)
        if len(first) == count:
            break
        count = len(first)
    # The class of the dead state, which comes first.
    swap = np.arange(count)
    swap[classes[0]], swap[0] = 0, classes[0]
    classes = swap[classes]
    chosen = np.empty(count, dtype=np.int64)
    chosen[classes] = np.arange(dfa.states)
    return Dfa(classes[dfa.moves[chosen]], dfa.accepting[chosen], int(classes[dfa.start]))


def _next(left: Dfa, right: Dfa, codes: Moves) -> tuple[Moves, Moves]:
    return left.moves[codes // right.states], right.moves[codes % right.states]


def _code(left: Moves, right: Moves, of: Dfa) -> Moves:
    """One number for two states; 0 where one of them is dead."""
    return np.where((left == 0) | (right == 0), 0, left * of.states + right)
