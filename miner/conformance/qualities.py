"""How well a model and the variants of a log agree."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from miner.conformance.alignments import Alignments, Traces, align
from miner.conformance.precision import Trace, Walk, walked
from miner.model.process_model import ProcessModel
from miner.model.workflow_net import WorkflowNet

_MOST_LEFT_OUT = 0.05
"""The share of cases too hard to align from which on fitness of the others says too little."""


@dataclass(frozen=True)
class Qualities:
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


def qualities(
    model: ProcessModel,
    variants: pl.DataFrame,
    aligned: Alignments | None = None,
    *,
    seconds: float = 60.0,
) -> Qualities:
    """The qualities of `model` against all cases of `variants`.

    `variants` has the columns `activities` (list of strings) and `cases`, most cases first; with
    no case, everything but simplicity is null. `aligned` are their alignments with the model,
    weighted by `cases`; without them they are aligned here, which ends after about `seconds`.
    `notes` say what was left out then.
    """
    late = False
    if aligned is None:
        counts = counts_of(variants)
        traces = _Weighed(list(counts), np.fromiter(counts.values(), np.int64, len(counts)))
        end = time.monotonic() + seconds
        aligned = align(model, Traces.of(traces.traces), weights=traces.cases, seconds=seconds)
        late = time.monotonic() >= end
    else:
        rows = [tuple(each) for each in variants["activities"].to_list()]
        traces = _Weighed(rows, variants["cases"].cast(pl.Int64).to_numpy())
    walk = walked(model, counts_of(variants))
    return _summed(model, walk, traces, aligned, late=late)


def precision(model: ProcessModel, variants: pl.DataFrame) -> float | None:
    """Precision alone, see `Qualities`; null when it could not be judged."""
    return walked(model, counts_of(variants)).precision


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


def _summed(
    model: ProcessModel, walk: Walk, traces: _Weighed, aligned: Alignments, *, late: bool
) -> Qualities:
    fits = np.array([walk.fits.get(trace, False) for trace in traces.traces], bool)
    sums = _fitness(traces, fits, aligned, late=late)
    total = int(traces.cases.sum())
    notes = [*walk.notes, *sums.notes]
    if 0 < sums.cases < total:
        notes.append(
            f"Fitness covers {sums.cases:,} of {total:,} cases ({sums.cases / total:.1%}), "
            + (
                "those of the most frequent variants; time did not allow for more."
                if late
                else "the others are too hard to align."
            )
        )
    fitting = walk.fitting_cases
    if fitting is None and aligned.exact.all() and aligned.shortest is not None:
        fitting = int(traces.cases[aligned.costs == 0].sum())
    return Qualities(
        total,
        sums.fitness,
        sums.log_fitness,
        sums.cases,
        fitting,
        walk.precision,
        walk.covered,
        generalization(model.net, _by_label(model.net, aligned.matched)) if sums.cases else None,
        simplicity(model.net),
        tuple(notes),
    )


@dataclass(frozen=True)
class _Weighed:
    traces: list[Trace]
    cases: npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Sums:
    cases: int = 0
    fitness: float | None = None
    log_fitness: float | None = None
    notes: tuple[str, ...] = ()


def _fitness(
    traces: _Weighed, fits: npt.NDArray[np.bool_], aligned: Alignments, *, late: bool
) -> _Sums:
    if aligned.shortest is None:
        return _Sums(notes=("Fitness is not known: the model was not seen to reach its end.",))
    known = aligned.exact | fits
    if late and not known.all():
        # What fits further on does not stand for what was not reached.
        known[int(np.argmin(known)) :] = False
    cases = np.where(known, traces.cases, 0)
    covered, total = int(cases.sum()), int(traces.cases.sum())
    if not late and total - covered > _MOST_LEFT_OUT * total:
        share = 1 - covered / total
        return _Sums(
            notes=(f"Fitness is not known: {share:.1%} of the cases are too hard to align.",)
        )
    if not covered:
        return _Sums()
    worst = np.array([len(trace) for trace in traces.traces]) + aligned.shortest
    costs = np.where(aligned.exact, aligned.costs, 0)
    each = 1 - np.divide(costs, worst, out=np.zeros(len(worst)), where=worst > 0)
    pooled = float(cases @ worst)
    return _Sums(
        covered,
        float(cases @ each) / covered,
        1 - float(cases @ costs) / pooled if pooled else 1.0,
    )


def _by_label(net: WorkflowNet, matched: npt.NDArray[np.int64]) -> dict[str, int]:
    pairs = zip(net.transitions, matched.tolist(), strict=True)
    return {each.label: times for each, times in pairs if each.label is not None}


def generalization(net: WorkflowNet, matched: Mapping[str, int]) -> float | None:
    """Generalization of a net whose activities were matched so often; see `Qualities`."""
    labels = net.labels()
    if not labels or len(set(labels)) < len(labels):
        return None
    times = [matched.get(label, 0) for label in labels]
    return 1 - sum(1 / math.sqrt(each) if each > 0 else 1.0 for each in times) / len(labels)
