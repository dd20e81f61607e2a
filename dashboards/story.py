"""The story of one case in sentences."""

from __future__ import annotations

import polars as pl

from dashboards.units import moment, short, spoken
from miner.performance.cases import Case

_MOST = 3


def story(case: Case) -> list[str]:
    """What happened in `case`, as plain sentences; names stand as they are in the log."""
    return [
        _frame(case),
        _company(case),
        *_longest(case.timeline),
        *_failures(case.timeline),
        *_again(case.timeline),
        *_doers(case.timeline),
    ]


def _frame(case: Case) -> str:
    names = case.timeline["activity"]
    first, last = (short(names[0]), short(names[-1])) if len(names) else ("nothing", "nothing")
    began = f"The case began on {moment(case.started_at)} UTC with {first}"
    took = spoken(case.cycle_time)
    if case.status == "running":
        return f"{began} and is still open; its last event was {took} later, at {last}."
    end = {"completed": "ended", "timed_out": "ended as timed out"}.get(
        case.status, f"ended as {case.status}"
    )
    return f"{began} and {end} {took} later with {last}."


def _company(case: Case) -> str:
    steps = case.timeline.height
    others = case.variant_cases - 1
    way = {0: "no other case took this way", 1: "one other case took the same way"}.get(
        others, f"{others:,} other cases took the same way"
    )
    version = f" on version {short(case.process_version)}" if case.process_version else ""
    return f"It has {steps:,} activity instance{'s' * (steps != 1)}{version}; {way}."


def _longest(timeline: pl.DataFrame) -> list[str]:
    found = []
    for column, words in (("waiting", "longest wait was {} before {}"),
                          ("service", "longest work was {} on {}")):  # fmt: skip
        known = timeline.filter(pl.col(column) > pl.duration()).sort(
            column, "number", descending=[True, False]
        )
        if known.height:
            top = known.row(0, named=True)
            found.append("The " + words.format(spoken(top[column]), short(top["activity"])) + ".")
    return found


def _failures(timeline: pl.DataFrame) -> list[str]:
    failed = timeline.filter(pl.col("status").is_in(["failed", "timed_out"]))
    grouped = failed.group_by("activity", maintain_order=True).agg(
        pl.len(), pl.col("error_type").drop_nulls().unique(maintain_order=True).head(2)
    )
    sentences = []
    for name, times, errors in grouped.head(_MOST).iter_rows():
        why = f" ({', '.join(short(error) for error in errors)})" if errors else ""
        recovered = timeline.filter(
            (pl.col("activity") == name) & (pl.col("status") == "completed")
        ).height
        ending = "and succeeded in the end" if recovered else "and never succeeded"
        sentences.append(f"{short(name)} failed {_times(times)}{why} {ending}.")
    if grouped.height > _MOST:
        sentences.append(f"{grouped.height - _MOST} more activities failed.")
    return sentences


def _again(timeline: pl.DataFrame) -> list[str]:
    again = timeline.filter("rework").group_by("activity", maintain_order=True).len()
    return [
        f"{short(name)} was done again {_times(times)}, which is rework."
        for name, times in again.head(_MOST).iter_rows()
    ]


def _doers(timeline: pl.DataFrame) -> list[str]:
    known = timeline.drop_nulls("resource").unique("resource")
    if known.is_empty():
        return []
    people = known.filter(pl.col("resource_kind") == "human").height
    systems = known.filter(pl.col("resource_kind") == "system").height
    other = known.height - people - systems
    parts = [
        f"{count:,} {one if count == 1 else many}"
        for count, one, many in (
            (people, "person", "people"),
            (systems, "system", "systems"),
            (other, "resource", "resources"),
        )
        if count
    ]
    return [f"It was worked on by {' and '.join(parts)}."]


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")
