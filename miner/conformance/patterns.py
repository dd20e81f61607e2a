"""From moves of an alignment to deviations that people have words for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from miner.conformance.alignments import Traces
from miner.model.workflow_net import Transition

FOUND = ("trace", "number", "kind", "activity", "instead", "expected_after", "element_id")


def deviations_of_moves(
    moves: pl.DataFrame, traces: Traces, transitions: Sequence[Transition]
) -> pl.DataFrame:
    """The deviations that moves stand for, in order of trace and place.

    A move in the log and one in the model of the same activity are one `swapped`: it was done, but
    not where the model has it. Of the other moves in the log, one of an activity that the trace has
    once more is `repeated`, else it is `extra`. A move in the model is `skipped`. An `extra` that
    comes directly before a `skipped` of another activity is one `replaced`: `instead` is what the
    model has there.

    Returns `trace`, `number` (the place of the event in the trace, or of the one before which
    something is missing; one more than there are at its end), `kind`, `activity`, `instead`,
    `expected_after` (the event before the place that the model has in mind, null at the start and
    where it has none) and `element_id` of the model's element, null where it has none.
    """
    named = _named(moves, traces, transitions)
    swapped = _swapped(named)
    rest = named.join(swapped.select("step"), on="step", how="anti", maintain_order="left").join(
        swapped.select(pl.col("model_step").alias("step")), on="step", how="anti",
        maintain_order="left",
    )  # fmt: skip
    kinds = rest.with_columns(
        pl.when(pl.col("kind") == "model")
        .then(pl.lit("skipped"))
        .when(pl.col("times") > 1)
        .then(pl.lit("repeated"))
        .otherwise(pl.lit("extra"))
        .alias("kind")
    )
    found = pl.concat([swapped.select(kinds.columns), kinds]).sort("trace", "step")
    return _replaced(found).select(*FOUND)


def _named(moves: pl.DataFrame, traces: Traces, transitions: Sequence[Transition]) -> pl.DataFrame:
    """The moves with activity, element and how often the trace has the activity."""
    trace = moves["trace"].to_numpy()
    place = traces.offsets[trace] + moves["number"].to_numpy() - 1
    is_log = (moves["kind"] == "log").to_numpy()
    labels = pl.Series(traces.labels, dtype=pl.String())
    done = _codes(traces, place, is_log)
    has_before = moves["number"].to_numpy() > 1
    before = _codes(traces, place - 1, has_before)
    model = pl.DataFrame(
        {
            "transition": np.arange(len(transitions), dtype=np.int32),
            "modelled": [each.label for each in transitions],
            "element_id": [each.element_id for each in transitions],
        },
        schema_overrides={"modelled": pl.String(), "element_id": pl.String()},
    )
    named = (
        moves.with_row_index("step")
        .with_columns(
            pl.Series("code", done, dtype=pl.Int32()), kind=pl.col("kind").cast(pl.String())
        )
        .join(model, on="transition", how="left", maintain_order="left")
        .with_columns(
            activity=pl.when(pl.col("kind") == "log")
            .then(_labelled(labels, done))
            .otherwise(pl.col("modelled")),
            before=pl.when(pl.Series(has_before, dtype=pl.Boolean())).then(
                _labelled(labels, before)
            ),
        )
    )
    return (
        named.join(_times(named, traces), on=["trace", "code"], how="left", maintain_order="left")
        .with_columns(
            instead=pl.lit(None, pl.String()),
            expected_after=pl.when(pl.col("kind") == "model").then("before"),
        )
        .select("step", *FOUND, "before", "times")
    )


def _codes(traces: Traces, place: npt.NDArray[np.int64], known: npt.NDArray[np.bool_]) -> Any:
    """The activities at places of all traces in a row, 0 where the place is not one."""
    if not len(traces.codes):
        return np.zeros(len(place), dtype=np.int32)
    return np.where(known, traces.codes[np.where(known, place, 0)], 0)


def _labelled(labels: pl.Series, codes: Any) -> Any:
    return labels.gather(codes) if len(labels) else pl.lit(None, pl.String())


def _times(named: pl.DataFrame, traces: Traces) -> pl.DataFrame:
    """How often the traces with moves in the log have each activity of theirs."""
    with_moves = named.filter(pl.col("kind") == "log")["trace"].unique(maintain_order=True)
    chosen = np.zeros(len(traces.offsets) - 1, dtype=bool)
    chosen[with_moves.to_numpy()] = True
    lengths = np.diff(traces.offsets)
    events = pl.DataFrame(
        {
            "trace": np.repeat(
                np.arange(len(lengths), dtype=np.int32), np.where(chosen, lengths, 0)
            ),
            "code": traces.codes[np.repeat(chosen, lengths)],
        }
    )
    return events.group_by("trace", "code").agg(pl.len().alias("times"))


def _swapped(named: pl.DataFrame) -> pl.DataFrame:
    """Moves of one activity in log and model, paired in their order."""
    ranked = named.with_columns(
        pl.int_range(pl.len()).over("trace", "activity", "kind").alias("rank")
    )
    in_log = ranked.filter(pl.col("kind") == "log").drop("element_id", "expected_after")
    in_model = ranked.filter(pl.col("kind") == "model").select(
        "trace", "activity", "rank", "element_id", "expected_after",
        pl.col("step").alias("model_step"),
    )  # fmt: skip
    return in_log.join(
        in_model, on=["trace", "activity", "rank"], how="inner", maintain_order="left"
    ).with_columns(kind=pl.lit("swapped"))


def _replaced(found: pl.DataFrame) -> pl.DataFrame:
    """Fold an extra directly beside a skipped into one; each is folded once."""
    behind = (
        (pl.col("kind") == "extra")
        & (pl.col("kind").shift(-1) == "skipped")
        & (pl.col("trace").shift(-1) == pl.col("trace"))
        & (pl.col("number").shift(-1) == pl.col("number") + 1)
    ).fill_null(False)
    marked = found.with_columns(behind=behind, taken=behind.shift(1, fill_value=False))
    ahead = (
        (pl.col("kind") == "extra")
        & ~pl.col("behind")
        & (pl.col("kind").shift(1) == "skipped")
        & ~pl.col("taken").shift(1)
        & (pl.col("trace").shift(1) == pl.col("trace"))
        & (pl.col("number").shift(1) == pl.col("number"))
    ).fill_null(False)
    marked = marked.with_columns(ahead=ahead)
    folded = pl.col("taken") | pl.col("ahead").shift(-1, fill_value=False)

    def missing(name: str, otherwise: pl.Expr) -> pl.Expr:
        return (
            pl.when("behind")
            .then(pl.col(name).shift(-1))
            .when("ahead")
            .then(pl.col(name).shift(1))
            .otherwise(otherwise)
        )

    replaced = pl.col("behind") | pl.col("ahead")
    return marked.with_columns(
        kind=pl.when(replaced).then(pl.lit("replaced")).otherwise("kind"),
        instead=missing("activity", pl.lit(None, pl.String())),
        element_id=missing("element_id", pl.col("element_id")),
        expected_after=pl.when(replaced).then("before").otherwise("expected_after"),
        folded=folded,
    ).filter(~pl.col("folded"))
