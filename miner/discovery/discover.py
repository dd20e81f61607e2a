"""Models found in a log, with how good they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import polars as pl

from miner import pm4py_bridge
from miner.conformance.precision import Trace
from miner.conformance.qualities import Qualities, counts_of, qualities
from miner.discovery.frequent_paths import frequent_paths
from miner.errors import InputError, UnknownNameError
from miner.model.process_model import ProcessModel, model_of_net, model_of_tree
from miner.model.process_tree import tree_of
from miner.model.workflow_net import Step, WorkflowNet, net_of

Algorithm = Literal["inductive", "inductive-variants", "heuristics", "dfg"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)

MOST_ACTIVITIES = 500
"""With more activities only the most frequent are used: a model of more is no help to anybody."""
_MOST_TRANSITIONS = 5_000

_Paths = dict[tuple[str | None, str | None], int]


@dataclass(frozen=True)
class Discovered:
    """A discovered model, what it was made from, and its qualities against the whole log.

    Made from `covered_variants` of `variants` variants, which are `covered_cases` of `cases` cases.
    `notes` say in sentences what was left out and what is not known; empty when nothing was.
    """

    model: ProcessModel
    algorithm: Algorithm
    noise: float
    cases: int
    covered_cases: int
    variants: int
    covered_variants: int
    quality: Qualities
    notes: tuple[str, ...]

    @property
    def fitness(self) -> float | None:
        """Mean over cases of alignment fitness; see `Qualities`."""
        return self.quality.fitness

    @property
    def log_fitness(self) -> float | None:
        """Alignment fitness with pooled costs; see `Qualities`."""
        return self.quality.log_fitness

    @property
    def fitness_covered_cases(self) -> int:
        """The number of cases fitness was computed on; see `Qualities`."""
        return self.quality.fitness_covered_cases

    @property
    def precision(self) -> float | None:
        """How little the model allows that never happens; see `Qualities`."""
        return self.quality.precision

    @property
    def generalization(self) -> float | None:
        """How well supported the activities of the model are; see `Qualities`."""
        return self.quality.generalization

    @property
    def simplicity(self) -> float:
        """How few arcs places and transitions have; see `Qualities`."""
        return self.quality.simplicity


def discover(
    paths: pl.DataFrame,
    variants: pl.DataFrame,
    *,
    name: str,
    algorithm: Algorithm = "inductive",
    noise: float = 0.2,
    coverage: float = 1.0,
    most_variants: int = 5_000,
    seconds: float = 60.0,
    quality_seconds: float = 5.0,
) -> Discovered:
    """A model of the process `name`, from the reductions of a log.

    `paths` has the columns `activity` (null: start of a case), `next_activity` (null: end of a
    case) and `frequency`; `variants` has `activities` (list) and `cases`, most cases first.

    * `inductive` (default): inductive miner on the paths. Sound. Paths taken less than `noise`
      times as often as the strongest one from the same activity are left out, unless an activity
      would lose its connection (see `frequent_paths`).
    * `inductive-variants`: inductive miner on the most frequent variants that cover the share
      `coverage` of the cases, at most `most_variants` of them. Sound; slower, often more precise.
      With `noise` 0 all those variants fit; above, it is the noise threshold of IMf.
    * `heuristics`: heuristics miner. May not be sound. Paths rarer than `noise` times the strongest
      path of both their activities are left out.
    * `dfg`: the paths themselves as a model, filtered by `noise` like the first.

    The qualities are those against all of `variants`; `quality_seconds` limits the alignments.

    Raises UnknownNameError for another algorithm, InputError when there is no case, when a number
    is out of range, or when mining takes longer than `seconds`.
    """
    _check(paths, variants, algorithm, noise, coverage, most_variants)
    notes: list[str] = []
    counts = counts_of(variants)
    known = _most_frequent(variants, notes)
    used = counts if known is None else counts_of(_without(variants, known))
    arcs = _paths(paths) if known is None else _paths(paths_of(_frame(used)))
    covered = used
    if algorithm == "inductive-variants":
        covered = _covering(used, coverage, most_variants, notes)
    model = _mined(name, algorithm, arcs, covered, noise, seconds)
    found = qualities(model, variants, seconds=quality_seconds)
    return Discovered(
        model,
        algorithm,
        noise,
        cases=sum(counts.values()),
        covered_cases=sum(covered.values()),
        variants=len(counts),
        covered_variants=len(covered),
        quality=found,
        notes=(*notes, *found.notes),
    )


def paths_of(variants: pl.DataFrame) -> pl.DataFrame:
    """The paths of `variants`: `activity`, `next_activity`, `frequency`; null is start and end.

    In the order of the names, nulls first. Variants without activities give no path.
    """
    events = _events(variants)
    same = pl.col("variant").shift(-1) == pl.col("variant")
    first = (pl.col("variant").shift(1) != pl.col("variant")).fill_null(True)
    inner = events.select(
        "activity",
        pl.when(same).then(pl.col("activity").shift(-1)).alias("next_activity"),
        "cases",
    )
    start = events.filter(first).select(
        pl.lit(None, pl.String).alias("activity"),
        pl.col("activity").alias("next_activity"),
        "cases",
    )
    return (
        pl.concat([start, inner])
        .group_by("activity", "next_activity")
        .agg(pl.col("cases").sum().alias("frequency"))
        .sort("activity", "next_activity")
    )


def _events(variants: pl.DataFrame) -> pl.DataFrame:
    """The events of each variant in order: `variant` (its number), `activity`, `cases`."""
    return (
        variants.select("activities", "cases")
        .with_row_index("variant")
        .explode("activities")
        .rename({"activities": "activity"})
        .drop_nulls("activity")
    )


def _check(
    paths: pl.DataFrame,
    variants: pl.DataFrame,
    algorithm: str,
    noise: float,
    coverage: float,
    most_variants: int,
) -> None:
    if algorithm not in ALGORITHMS:
        raise UnknownNameError("algorithm", algorithm, ALGORITHMS)
    for name, value in (("noise", noise), ("coverage", coverage)):
        if not 0 <= value <= 1:
            raise InputError(f"{name} is {value:g}, but must be between 0 and 1.")
    if most_variants < 1:
        raise InputError(f"most_variants is {most_variants}, but must be 1 or more.")
    if variants.is_empty() or paths.is_empty():
        raise InputError("There is no case to discover a model from.", hint="Widen the filter.")


def _most_frequent(variants: pl.DataFrame, notes: list[str]) -> list[str] | None:
    """The activities to keep, null for all."""
    totals = (
        _events(variants)
        .group_by("activity")
        .agg(pl.col("cases").sum())
        .sort(["cases", "activity"], descending=[True, False])
    )
    if totals.height <= MOST_ACTIVITIES:
        return None
    kept = totals.head(MOST_ACTIVITIES)
    share = int(kept["cases"].sum()) / int(totals["cases"].sum())
    notes.append(
        f"Only the {MOST_ACTIVITIES} most frequent of {totals.height:,} activities are in the "
        f"model ({share:.1%} of the events)."
    )
    return kept["activity"].to_list()


def _without(variants: pl.DataFrame, known: list[str]) -> pl.DataFrame:
    """`variants` with only the activities of `known`."""
    element = pl.element()
    kept = pl.col("activities").list.eval(element.filter(element.is_in(known)))
    return variants.select(kept, "cases").filter(pl.col("activities").list.len() > 0)


def _covering(
    counts: Mapping[Trace, int], coverage: float, most: int, notes: list[str]
) -> dict[Trace, int]:
    """The most frequent variants that cover the share `coverage` of the cases, at most `most`."""
    cases = sum(counts.values())
    covered: dict[Trace, int] = {}
    done = 0
    for trace, count in sorted(counts.items(), key=lambda item: -item[1]):
        if (covered and done >= coverage * cases) or len(covered) == most:
            break
        covered[trace] = count
        done += count
    if len(covered) < len(counts):
        notes.append(
            f"Made from the {len(covered):,} most frequent of {len(counts):,} variants, which are "
            f"{done:,} of {cases:,} cases ({done / cases:.1%})."
        )
    return covered


def _mined(
    name: str,
    algorithm: Algorithm,
    paths: _Paths,
    variants: Mapping[Trace, int],
    noise: float,
    seconds: float,
) -> ProcessModel:
    match algorithm:
        case "inductive":
            kept = frequent_paths(paths, noise)
            try:
                tree = pm4py_bridge.inductive_tree_of_paths(kept, seconds=seconds)
            except IndexError:
                # pm4py's miner of paths fails on some graphs of few paths, where a part that it
                # splits off has none; the variants of so small a log are soon mined.
                tree = pm4py_bridge.inductive_tree_of_variants(
                    variants, noise=noise, seconds=seconds
                )
            return model_of_tree(name, tree_of(tree))
        case "inductive-variants":
            tree = pm4py_bridge.inductive_tree_of_variants(variants, noise=noise, seconds=seconds)
            return model_of_tree(name, tree_of(tree))
        case "heuristics":
            return model_of_net(name, _heuristics(paths, variants, noise, seconds))
        case "dfg":
            return model_of_net(name, net_of_paths(frequent_paths(paths, noise)))


def _heuristics(
    paths: _Paths, variants: Mapping[Trace, int], noise: float, seconds: float
) -> WorkflowNet:
    events = _events(_frame(variants))
    ahead = [pl.col("activity").shift(-n).over("variant").alias(f"ahead_{n}") for n in (1, 2)]
    rows = events.with_columns(*ahead)

    def counted(*columns: str) -> dict[Any, int]:
        sums = rows.drop_nulls(columns).group_by(columns, maintain_order=True)
        found = sums.agg(pl.col("cases").sum()).iter_rows()
        return {row[0] if len(columns) == 1 else row[:-1]: row[-1] for row in found}

    found = pm4py_bridge.heuristics_net(
        paths,
        counted("activity"),
        counted("activity", "ahead_2"),
        counted("activity", "ahead_1", "ahead_2"),
        noise=noise,
        seconds=seconds,
    )
    if len(found.steps) > _MOST_TRANSITIONS:
        raise InputError(
            f"The heuristics miner found a net of {len(found.steps):,} transitions.",
            hint="Nobody can read it: raise the noise, or filter to fewer activities.",
        )
    return net_of([Step(*step) for step in found.steps], found.source, found.sink)


def net_of_paths(paths: Mapping[tuple[str | None, str | None], int]) -> WorkflowNet:
    """The net that allows each way along `paths`: one transition for each activity."""
    names = sorted({name for pair in paths for name in pair if name is not None})
    steps = [Step(name, (f"before {name}",), (f"after {name}",)) for name in names]
    for first, second in sorted(paths, key=str):
        before = "source" if first is None else f"after {first}"
        after = "sink" if second is None else f"before {second}"
        steps.append(Step(None, (before,), (after,)))
    return net_of(steps, "source", "sink")


def _paths(paths: pl.DataFrame) -> _Paths:
    rows = paths.select("activity", "next_activity", "frequency").iter_rows()
    return {(first, second): frequency for first, second, frequency in rows}


def _frame(counts: Mapping[Trace, int]) -> pl.DataFrame:
    return pl.DataFrame(
        {"activities": [list(trace) for trace in counts], "cases": list(counts.values())},
        schema={"activities": pl.List(pl.String()), "cases": pl.Int64()},
    )
