"""The states of a process tree: what is left of it after a beginning of a trace."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from miner.model.process_tree import Operator, ProcessTree

Kind = Literal["done", "activity", "sequence", "choice", "parallel", "some", "star"]
Moves = Mapping[str, tuple["_Rest", ...]]


@dataclass(frozen=True, eq=False)
class _Rest:
    """What is left to do; equal rests are the same object, so comparing them costs nothing."""

    kind: Kind
    label: str
    parts: tuple[_Rest, ...]
    optional: bool
    """Whether nothing needs to happen any more."""


class TreeStates:
    """The partial derivatives of a process tree, read as a regular expression with interleaving.

    Unlike markings, they need no state for every set of parallel branches that might silently have
    been skipped: whether a branch may be skipped is seen from the branch.

    Source: Antimirov, Partial derivatives of regular expressions and finite automaton
    constructions (1996).
    """

    exhausted = False
    """Never: how many there are is bounded by the traces that are walked."""

    def __init__(self, tree: ProcessTree) -> None:
        self._known: dict[tuple[Kind, str, tuple[int, ...]], _Rest] = {}
        self._done = self._rest("done", optional=True)
        self._found: dict[_Rest, Moves] = {}
        self._rests: list[_Rest] = []
        self._numbers: dict[_Rest, int] = {}
        self._number(self._of(tree))

    def moves(self, state: int) -> dict[str, list[int]]:
        """The states that each activity possible in `state` leads to."""
        found = self._moves(self._rests[state])
        return {label: [self._number(rest) for rest in rests] for label, rests in found.items()}

    def accepts(self, state: int) -> bool:
        """Whether a case may end in `state`."""
        return self._rests[state].optional

    def _number(self, rest: _Rest) -> int:
        if rest not in self._numbers:
            self._numbers[rest] = len(self._rests)
            self._rests.append(rest)
        return self._numbers[rest]

    def _of(self, tree: ProcessTree) -> _Rest:
        if tree.operator is None:
            return self._done if tree.label is None else self._rest("activity", tree.label)
        parts = [self._of(child) for child in tree.children]
        match tree.operator:
            case Operator.SEQUENCE:
                return self._sequence(parts)
            case Operator.EXCLUSIVE:
                return self._choice(parts)
            case Operator.PARALLEL:
                return self._parallel(parts)
            case Operator.INCLUSIVE:
                optional = any(part.optional for part in parts)
                return self._rest("some", parts=parts, optional=optional)
            case Operator.LOOP:
                again = self._star(self._sequence([self._choice(parts[1:]), parts[0]]))
                return self._sequence([parts[0], again])

    def _rest(
        self, kind: Kind, label: str = "", parts: Sequence[_Rest] = (), optional: bool = False
    ) -> _Rest:
        key = (kind, label, tuple(map(id, parts)))
        if key not in self._known:
            self._known[key] = _Rest(kind, label, tuple(parts), optional)
        return self._known[key]

    def _sequence(self, parts: Iterable[_Rest]) -> _Rest:
        flat: list[_Rest] = []
        for part in parts:
            flat += part.parts if part.kind == "sequence" else [part]
        flat = [part for part in flat if part.kind != "done"]
        if len(flat) < 2:
            return flat[0] if flat else self._done
        return self._rest("sequence", parts=flat, optional=all(part.optional for part in flat))

    def _parallel(self, parts: Iterable[_Rest]) -> _Rest:
        left = [part for part in parts if part.kind != "done"]
        if len(left) < 2:
            return left[0] if left else self._done
        return self._rest("parallel", parts=left, optional=all(part.optional for part in left))

    def _choice(self, parts: Iterable[_Rest]) -> _Rest:
        different = list(dict.fromkeys(parts))
        if len(different) < 2:
            return different[0] if different else self._done
        optional = any(part.optional for part in different)
        return self._rest("choice", parts=different, optional=optional)

    def _star(self, part: _Rest) -> _Rest:
        if part.kind in ("done", "star"):
            return part
        return self._rest("star", parts=[part], optional=True)

    def _moves(self, rest: _Rest) -> Moves:
        if rest not in self._found:
            moves: dict[str, dict[_Rest, None]] = defaultdict(dict)
            for label, left in self._steps(rest):
                moves[label][left] = None
            self._found[rest] = {label: tuple(lefts) for label, lefts in moves.items()}
        return self._found[rest]

    def _steps(self, rest: _Rest) -> Iterable[tuple[str, _Rest]]:
        match rest.kind:
            case "activity":
                yield rest.label, self._done
            case "sequence":
                for index, part in enumerate(rest.parts):
                    for label, left in self._each(part):
                        yield label, self._sequence([left, *rest.parts[index + 1 :]])
                    if not part.optional:
                        break
            case "choice":
                for part in rest.parts:
                    yield from self._each(part)
            case "star":
                for label, left in self._each(rest.parts[0]):
                    yield label, self._sequence([left, rest])
            case "parallel":
                for index, part in enumerate(rest.parts):
                    others = rest.parts[:index], rest.parts[index + 1 :]
                    for label, left in self._each(part):
                        yield label, self._parallel([*others[0], left, *others[1]])
            case "some":
                for index, part in enumerate(rest.parts):
                    may = [self._choice([other, self._done]) for other in rest.parts]
                    for label, left in self._each(part):
                        yield label, self._parallel([*may[:index], left, *may[index + 1 :]])

    def _each(self, rest: _Rest) -> Iterable[tuple[str, _Rest]]:
        return ((label, left) for label, lefts in self._moves(rest).items() for left in lefts)
