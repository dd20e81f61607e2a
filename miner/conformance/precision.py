"""Walking variants through the automaton of a model: which fit, and how precise it is.

Precision is 1 - escaping ÷ possible continuations: after every beginning of a trace that the model
can replay, which of the activities it allows next never come next in the log, weighted by the cases
with that beginning.

Source: Muñoz-Gama, Carmona, A fresh look at precision in process conformance (2010), over sets of
states in place of a guessed one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from miner.discovery.automaton import Automaton
from miner.model.process_model import ProcessModel

Trace = tuple[str, ...]

_MOST_STEPS = 1_000_000


@dataclass
class Walk:
    """What walking the variants through the model's automaton showed."""

    fits: dict[Trace, bool] = field(default_factory=dict)
    """Of the variants that were walked, whether the model can replay them and end."""
    fitting_cases: int | None = None
    precision: float | None = None
    covered: float | None = None
    """The share of the beginnings of traces, by cases, that precision speaks of."""
    notes: list[str] = field(default_factory=list)


def walked(model: ProcessModel, counts: Mapping[Trace, int]) -> Walk:
    """Walk the variants, in their order, through the automaton of `model`."""
    automaton = Automaton(model)
    beginnings = _Beginnings(automaton)
    walk = Walk()
    for trace, cases in counts.items():
        if beginnings.steps + len(trace) > _MOST_STEPS:
            walk.notes.append(
                f"Precision is that of the {len(walk.fits):,} most frequent of {len(counts):,} "
                "variants."
            )
            break
        walk.fits[trace] = beginnings.add(trace, cases)
    walk.precision, walk.covered = beginnings.precision()
    if automaton.exhausted:
        return Walk(notes=["Precision is not known: the model has too many states."])
    if len(walk.fits) == len(counts):
        walk.fitting_cases = sum(counts[trace] for trace, fits in walk.fits.items() if fits)
    if walk.covered is not None and walk.covered < 0.9995:
        walk.notes.append(
            f"Precision covers {walk.covered:.1%} of the beginnings of traces; the model "
            "cannot replay the others."
        )
    return walk


class _Beginnings:
    """The beginnings of traces as a tree: what came next, how often, and where the model is."""

    def __init__(self, automaton: Automaton) -> None:
        self._automaton = automaton
        self._next: list[dict[str, int]] = [{}]
        self._weights = [0]
        self._states: list[int | None] = [0]
        self.steps = 0

    def add(self, trace: Trace, cases: int) -> bool:
        """Walk `trace`; whether the model can replay all of it and end there."""
        node = 0
        for activity in trace:
            self._weights[node] += cases
            target = self._next[node].get(activity)
            node = self._grown(node, activity) if target is None else target
        self.steps += len(trace)
        state = self._states[node]
        return state is not None and self._automaton.accepts(state)

    def _grown(self, node: int, activity: str) -> int:
        state = self._states[node]
        target = None if state is None else self._automaton.moves(state).get(activity)
        self._next[node][activity] = len(self._next)
        self._next.append({})
        self._weights.append(0)
        self._states.append(target)
        return len(self._next) - 1

    def precision(self) -> tuple[float | None, float | None]:
        """Precision, and the share of the weight of beginnings it covers; null without any."""
        possible = escaping = covered = 0
        for state, followers, weight in zip(self._states, self._next, self._weights, strict=True):
            if state is not None and weight:
                allowed = self._automaton.moves(state)
                covered += weight
                possible += weight * len(allowed)
                escaping += weight * len(allowed.keys() - followers.keys())
        total = sum(self._weights)
        return (
            1 - escaping / possible if possible else None,
            covered / total if total else None,
        )
