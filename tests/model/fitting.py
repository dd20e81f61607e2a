"""Whether a trace is in the language of a model, and what histories become as traces."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import polars as pl

from miner.discovery.automaton import Automaton
from miner.model.process_model import ProcessModel
from miner.model.soundness import soundness
from miner.model.translation import Translation
from tests.model.languages import of_automaton

ENDS = ["complete", "fail", "timeout", "cancel"]


def misfit(model: ProcessModel, trace: Sequence[str]) -> str | None:
    """Where a trace leaves the language of a model, in words; null where it is in it."""
    automaton, state = Automaton(model), 0
    for place, activity in enumerate(trace):
        moves = automaton.moves(state)
        if activity not in moves:
            return f"{activity} at {place} of {list(trace)}; allowed: {sorted(moves)}"
        state = moves[activity]
    return None if automaton.accepts(state) else f"{list(trace)} stops too early"


def words(read: Translation, longest: int = 8) -> set[str]:
    """The language up to a length, with activities joined by spaces; the net has to be sound."""
    checked = soundness(read.model.net)
    assert checked.sound, checked.reason
    return {" ".join(trace) for trace in of_automaton(read.model, longest)}


def said(read: Translation) -> set[tuple[str | None, str]]:
    """What could not be translated exactly: elements, by id and kind."""
    return {(remark.element_id, remark.element) for remark in read.remarks}


def ended(events: pl.DataFrame, instance: pl.Expr) -> dict[str, list[str]]:
    """Activities by case in the order in which they ended; of attempts at one, the first."""
    ends = events.filter(pl.col("lifecycle").is_in(ENDS)).with_columns(instance.alias("whole"))
    order = [name for name in ("timestamp", "position") if name in ends.columns]
    first = ends.with_row_index("row").sort("case_id", *order, "row")
    first = first.unique(["case_id", "whole"], keep="first", maintain_order=True)
    found: dict[str, list[str]] = defaultdict(list)
    for case, activity in first.select("case_id", "activity").iter_rows():
        found[case].append(activity)
    return dict(found)
