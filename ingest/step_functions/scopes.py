"""Which state each history event of Step Functions belongs to, found along `previousEventId`.

The previous events of an execution make a tree: branches and iterations that run side by side
interleave in order of id but not along the tree. Nothing here walks it event by event: `climb`
doubles the length of its jumps, so that n events need log2(n) lookups of a whole column.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ingest.step_functions.types import described

Rows = NDArray[np.int64]
"""Numbers of rows; NONE where there is none."""
Flags = NDArray[np.bool_]

NONE = -1
CONTAINERS = ("Parallel", "Map")


@dataclass(frozen=True)
class _Container:
    """The n-th Parallel or Map state of each execution."""

    entry: Rows
    """The row that entered it, where it is still open just before each row."""
    parallel: Flags
    """Whether that is a Parallel state."""


def scoped(events: pl.DataFrame) -> pl.DataFrame:
    """Give each event the state it belongs to; `events` has one row per event in order of id.

    Adds what `described` says of its type, `before` (the row of
    the previous event; its own where there is none), `entry` (the row that entered the state; null
    for events of executions and iterations) and `within` (the row that entered the Parallel or Map
    state around; null outside of one).
    """
    types = described(events["type"])
    rows = events.join(types, on="type", how="left", maintain_order="left")
    before = _before(rows)
    entry = climb(before, _flags(rows, "enters"))
    numbers, containers = _containers(rows, before)
    if containers:
        entry = _of_containers(rows, before, entry, numbers, containers)
    entry = _by_name(rows, entry)
    entry[_flags(rows, "of_execution")] = NONE
    rows = rows.with_columns(
        pl.Series("before", before),
        _or_null("entry", entry),
        _or_null("within", _innermost(containers, before, None)),
    )
    return rows


def _flags(rows: pl.DataFrame, column: str) -> Flags:
    return rows[column].fill_null(False).to_numpy()


def _or_null(name: str, rows: Rows) -> pl.Series:
    return pl.Series(name, rows).replace(NONE, None)


def _before(rows: pl.DataFrame) -> Rows:
    """The row of the previous event; always an earlier row of the execution, or the own one."""
    ids = rows.select("execution", pl.col("id").alias("previous"), pl.col("row").alias("found"))
    joined = rows.select("row", "execution", "previous", "state", "name", "enters").join(
        ids, on=["execution", "previous"], how="left", maintain_order="left"
    )
    found = pl.col("found")
    if joined["state"].null_count() < joined.height:
        # A failed evaluation stands beside the entering of its state in the tree, not below it.
        entered = joined.filter("enters").select(
            "execution", pl.col("name").alias("state"), pl.col("row").alias("beside")
        )
        joined = joined.join_asof(
            entered,
            left_on="row",
            right_on="beside",
            by=["execution", "state"],
            coalesce=False,
            check_sortedness=False,
        )
        found = pl.coalesce("beside", "found")
    earlier = pl.when(found < pl.col("row")).then(found).otherwise("row")
    return joined.select(earlier.alias("before"))["before"].to_numpy().copy()


def climb(before: Rows, stop: Flags) -> Rows:
    """For each row, the nearest row on its way up, itself included, where to stop."""
    jump = np.where(stop, np.arange(len(before)), before)
    while True:
        further = jump[jump]
        if np.array_equal(further, jump):
            return np.where(stop[jump], jump, NONE)
        jump = further


def _containers(rows: pl.DataFrame, before: Rows) -> tuple[Rows, list[_Container]]:
    """The number of the container that each row names (0: none), and the containers by number."""
    named = rows.filter(pl.col("enters") & pl.col("state_kind").is_in(CONTAINERS))
    ranks = (
        named.select("execution", "name")
        .unique()
        .with_columns(pl.col("name").rank("dense").over("execution").alias("number"))
    )
    numbers = (
        rows.select("execution", "name")
        .join(ranks, on=["execution", "name"], how="left", maintain_order="left")["number"]
        .fill_null(0)
        .cast(pl.Int64)
        .to_numpy()
    )
    enters, exits = _flags(rows, "enters"), _flags(rows, "exits")
    parallel = rows.select((pl.col("state_kind") == "Parallel").fill_null(False)).to_series()
    has_before = before < np.arange(len(before))
    found = []
    for number in range(1, int(numbers.max(initial=0)) + 1):
        nearest = climb(before, (numbers == number) & (enters | exits))[before]
        entry = np.where(has_before & (nearest != NONE) & enters[nearest], nearest, NONE)
        found.append(_Container(entry, (entry != NONE) & parallel.to_numpy()[entry]))
    return numbers, found


def _innermost(containers: list[_Container], before: Rows, parallel: bool | None) -> Rows:
    """The innermost container, of a kind if one is given, that is open just before each row."""
    found = np.full(len(before), NONE)
    for each in containers:
        wanted = (
            each.entry
            if parallel is None
            else np.where(each.parallel == parallel, each.entry, NONE)
        )
        found = np.maximum(found, wanted)
    return found


def _of_containers(
    rows: pl.DataFrame,
    before: Rows,
    entry: Rows,
    numbers: Rows,
    containers: list[_Container],
) -> Rows:
    """What Parallel and Map states start, end and exit, which branches lie between."""
    entry = entry.copy()
    of = rows["of"].fill_null("")
    failed = (_flags(rows, "silent")) & (of != "").to_numpy()
    for kind in CONTAINERS:
        is_kind = (of == kind).to_numpy()
        innermost = _innermost(containers, before, kind == "Parallel")
        entry = np.where(is_kind, innermost, entry)
        # Where one failed inside another of its kind, what follows is about the outer one.
        inner = np.where((failed & is_kind)[before], innermost[before], NONE)
        outer = np.full(len(before), NONE)
        for each in containers:
            further = (each.entry < inner) & (each.parallel == (kind == "Parallel"))
            outer = np.maximum(outer, np.where(further, each.entry, NONE))
        entry = np.where(is_kind & (inner == innermost) & (outer != NONE), outer, entry)
    exits = _flags(rows, "exits")
    for number, each in enumerate(containers, start=1):
        entry = np.where(exits & (numbers == number), each.entry, entry)
    return entry


def _by_name(rows: pl.DataFrame, entry: Rows) -> Rows:
    """Where the tree leads elsewhere, an exit belongs to the last entering of its name."""
    names = rows["name"].to_numpy()
    exits = _flags(rows, "exits")
    astray = exits & ((entry == NONE) | (names[entry] != names))
    if not astray.any():
        return entry
    named = rows.select("execution", "name", "row", "enters").with_columns(
        pl.when("enters").then("row").forward_fill().over("execution", "name").alias("named")
    )
    return np.where(astray, named["named"].fill_null(NONE).to_numpy(), entry)
