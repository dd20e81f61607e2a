"""The moves of one alignment, and what the model does silently between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from miner.conformance.net_states import Firing
from miner.model.workflow_net import WorkflowNet

_MOST_MARKINGS = 50_000


@dataclass(frozen=True)
class Move:
    """One move of an alignment.

    `number` is the position (from 1) of the event, null when the model moves alone; `transition` is
    the index of the transition, null when the log moves alone; `silent` is true for a transition
    that leaves no event, whose `activity` is null.
    """

    number: int | None
    transition: int | None
    activity: str | None
    silent: bool = False

    @property
    def kind(self) -> Literal["sync", "log", "model"]:
        """Who moves: both, the log alone, or the model alone."""
        if self.transition is None:
            return "log"
        return "model" if self.number is None else "sync"


_Way = tuple["_Way | None", int]
"""The transitions fired so far, the last one first."""


def with_silent(net: WorkflowNet, moves: Sequence[Move]) -> list[Move]:
    """`moves` and the silent moves that the net needs for them, as few as possible before each.

    Without any silent move when there are too many ways to tell.
    """
    visible = [move.transition for move in moves if move.transition is not None]
    fired = _fired(net, visible)
    if fired is None:
        return list(moves)
    silent = {n for n, transition in enumerate(net.transitions) if transition.label is None}
    left = iter(fired)
    found: list[Move] = []
    for move in moves:
        if move.transition is not None:
            for transition in left:
                if transition not in silent:
                    break
                found.append(Move(None, transition, None, silent=True))
        found.append(move)
    return found + [Move(None, transition, None, silent=True) for transition in left]


def _fired(net: WorkflowNet, visible: Iterable[int]) -> list[int] | None:
    """All transitions of a run of the net whose visible ones are `visible`, null if not found."""
    firing = Firing(net)
    if firing.too_heavy:
        return None
    silent = {n for n, transition in enumerate(net.transitions) if transition.label is None}
    now: dict[int, _Way | None] = {firing.initial: None}
    budget = _MOST_MARKINGS
    for transition in visible:
        now, budget = _closed(firing, silent, now, budget)
        after: dict[int, _Way | None] = {}
        for marking, way in now.items():
            for fired, reached in firing.steps(marking):
                if fired == transition and reached >= 0:
                    after.setdefault(reached, (way, fired))
        now = after
    now, budget = _closed(firing, silent, now, budget)
    if budget <= 0 or firing.final not in now:
        return None
    found: list[int] = []
    way = now[firing.final]
    while way is not None:
        way, fired = way
        found.append(fired)
    return found[::-1]


def _closed(
    firing: Firing, silent: set[int], now: dict[int, _Way | None], budget: int
) -> tuple[dict[int, _Way | None], int]:
    """The markings reached without an activity, and how many more may be looked at."""
    known = dict(now)
    waiting = list(now)
    for marking in waiting:
        budget -= 1
        if budget <= 0:
            return {}, 0
        for fired, after in firing.steps(marking):
            if fired in silent and after >= 0 and after not in known:
                known[after] = (known[marking], fired)
                waiting.append(after)
    return known, budget
