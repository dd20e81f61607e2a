"""How well a model and the variants of a log agree."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from miner.discovery.automaton import Automaton
from miner.model.process_model import ProcessModel
from miner.model.workflow_net import WorkflowNet
from miner.r4pm_bridge import Alignment, PlainNet, alignments, shortest_trace

Trace = tuple[str, ...]

_MOST_STEPS = 1_000_000
_MOST_LEFT_OUT = 0.05
"""The share of cases too hard to align from which on fitness of the others says too little."""

_Row = tuple[Trace, int, Alignment | None]


@dataclass(frozen=True)
class Quality:
    """Qualities of a model against a log, 0 to 1, each null where it could not be found out.

    `fitness` is the mean over cases of 1 - cost ÷ worst cost of an optimal alignment, where the
    worst cost is that of leaving out the whole trace and running the model alone; `log_fitness`
    divides the sums of both over all cases. An event the model does not allow and an activity the
    trace lacks cost 1 each. Both are exact for the `fitness_covered_cases` cases they cover: those
    of the most frequent variants, as far as time allowed. A variant too hard to align is left out;
    when those are more than 5 % of the cases, both are null. `fitting_cases` counts the cases of
    the whole log that fit without any deviation, null when that is not known.

    `precision` is 1 - escaping ÷ possible continuations: after every beginning of a trace that the
    model can replay, which of the activities it allows next never come next in the log, weighted by
    the cases with that beginning. `precision_covered` is the share (so weighted) of the beginnings
    that the model can replay; the others have no part in precision.

    `generalization` is 1 - mean of 1 ÷ √(times matched in the alignments) over the activities of
    the model, 1 for one never matched; null where several transitions share an activity.

    `simplicity` is 1 ÷ (1 + max(mean arc degree - 2, 0)) over places and transitions.

    Sources: fitness Adriansyah (2014); precision (ETC) Muñoz-Gama, Carmona, A fresh look at
    precision in process conformance (2010), over sets of states in place of a guessed one;
    generalization Buijs et al. (2014); simplicity Blum (2015).
    """

    cases: int
    fitness: float | None
    log_fitness: float | None
    fitness_covered_cases: int
    fitting_cases: int | None
    precision: float | None
    precision_covered: float | None
    generalization: float | None
    simplicity: float
    notes: tuple[str, ...]


def quality(model: ProcessModel, variants: pl.DataFrame, *, seconds: float = 5.0) -> Quality:
    """The qualities of `model` against all cases of `variants`.

    `variants` has the columns `activities` (list of strings) and `cases`, most cases first; with
    no case, everything but simplicity is null. Aligning the variants that do not fit ends after
    about `seconds`; `notes` say what was left out then.
    """
    counts = counts_of(variants)
    cases = sum(counts.values())
    walk = _walked(Automaton(model), counts)
    aligned = _aligned(model, walk, counts, seconds)
    notes = [*walk.notes, *aligned.notes]
    left = cases - aligned.cases
    if left and aligned.cases:
        notes.append(
            f"Fitness covers {aligned.cases:,} of {cases:,} cases ({aligned.cases / cases:.1%}), "
            "those of the most frequent variants; time did not allow for more."
        )
    return Quality(
        cases,
        aligned.fitness,
        aligned.log_fitness,
        aligned.cases,
        walk.fitting_cases,
        walk.precision,
        walk.precision_covered,
        _generalization(model.net, aligned.matched) if aligned.cases else None,
        simplicity(model.net),
        tuple(notes),
    )


def counts_of(variants: pl.DataFrame) -> dict[Trace, int]:
    """The number of cases of each variant, in the order of the frame."""
    counts: Counter[Trace] = Counter()
    for activities, cases in variants.select("activities", "cases").iter_rows():
        counts[tuple(activities)] += cases
    return dict(counts)


def simplicity(net: WorkflowNet) -> float:
    """1 ÷ (1 + max(mean arc degree - 2, 0)) over places and transitions; 1 for a plain sequence."""
    degree = 2 * len(net.arcs) / (len(net.places) + len(net.transitions))
    return 1 / (1 + max(degree - 2, 0))


@dataclass
class _Walk:
    """What walking the variants through the model's automaton showed."""

    fits: dict[Trace, bool] = field(default_factory=dict)
    fitting_cases: int | None = None
    precision: float | None = None
    precision_covered: float | None = None
    notes: list[str] = field(default_factory=list)


def _walked(automaton: Automaton, counts: Mapping[Trace, int]) -> _Walk:
    beginnings = _Beginnings(automaton)
    walk = _Walk()
    for trace, cases in counts.items():
        if beginnings.steps + len(trace) > _MOST_STEPS:
            walk.notes.append(
                f"Precision is that of the {len(walk.fits):,} most frequent of {len(counts):,} "
                "variants."
            )
            break
        walk.fits[trace] = beginnings.add(trace, cases)
    walk.precision, walk.precision_covered = beginnings.precision()
    if automaton.exhausted:
        return _Walk(notes=["Precision is not known: the model has too many states."])
    if len(walk.fits) == len(counts):
        walk.fitting_cases = sum(counts[trace] for trace, fits in walk.fits.items() if fits)
    if walk.precision_covered is not None and walk.precision_covered < 0.9995:
        walk.notes.append(
            f"Precision covers {walk.precision_covered:.1%} of the beginnings of traces; the model "
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


@dataclass
class _Aligned:
    """Sums over the cases that were aligned."""

    cases: int = 0
    fitness: float | None = None
    log_fitness: float | None = None
    matched: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


def _aligned(
    model: ProcessModel, walk: _Walk, counts: Mapping[Trace, int], seconds: float
) -> _Aligned:
    net = _plain(model.net)
    shortest = model.tree.shortest() if model.tree is not None else shortest_trace(net)
    if shortest is None:
        return _Aligned(notes=["Fitness is not known: the model was not seen to reach its end."])
    labels = frozenset(model.net.labels())
    # Events of activities that the model does not have cost 1 each in any alignment.
    projected = {
        trace: tuple(activity for activity in trace if activity in labels)
        for trace in counts
        if not walk.fits.get(trace)
    }
    found = alignments(net, list(projected.values()), seconds=seconds)
    found[()] = Alignment(shortest, ())
    rows: list[_Row] = []
    for trace, cases in counts.items():
        known = projected.get(trace)
        if known is None:
            rows.append((trace, cases, Alignment(0, trace)))
        elif known in found:
            aligned = found[known]
            extra = len(trace) - len(known)
            whole = None if aligned is None else replace(aligned, cost=aligned.cost + extra)
            rows.append((trace, cases, whole))
        else:
            break  # what fits further on does not stand for what was not reached
    return _summed(rows, shortest)


def _plain(net: WorkflowNet) -> PlainNet:
    return PlainNet(
        net.places,
        {transition.id: transition.label for transition in net.transitions},
        [(arc.source, arc.target, arc.weight) for arc in net.arcs],
        dict(net.initial),
        dict(net.final),
    )


def _summed(rows: Sequence[_Row], shortest: int) -> _Aligned:
    total = _Aligned()
    fitness = cost = worst = 0.0
    reached = sum(cases for _, cases, _ in rows)
    for trace, cases, alignment in rows:
        if alignment is None:
            continue
        worst_cost = len(trace) + shortest
        total.cases += cases
        fitness += cases * (1 - alignment.cost / worst_cost if worst_cost else 1.0)
        cost += cases * alignment.cost
        worst += cases * worst_cost
        for activity, times in Counter(alignment.matched).items():
            total.matched[activity] += cases * times
    if reached - total.cases > _MOST_LEFT_OUT * reached:
        share = 1 - total.cases / reached
        return _Aligned(
            notes=[f"Fitness is not known: {share:.1%} of the cases are too hard to align."]
        )
    if total.cases:
        total.fitness = fitness / total.cases
        total.log_fitness = 1 - cost / worst if worst else 1.0
    return total


def _generalization(net: WorkflowNet, matched: Mapping[str, int]) -> float | None:
    labels = net.labels()
    if not labels or len(set(labels)) < len(labels):
        return None
    doubt = sum(1 / math.sqrt(matched[label]) if matched.get(label) else 1.0 for label in labels)
    return 1 - doubt / len(labels)
