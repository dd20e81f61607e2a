"""Random event logs, small enough that hypothesis can show what is wrong with the store."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import polars as pl
from hypothesis import strategies as st

from miner.eventlog.schema import BATCH
from tests.logs import at

CASES = ("c1", "c2", "c3")
ACTIVITIES = ("A", "B", "C")
LIFECYCLES = (
    *(None, "complete", "COMPLETE", "start", "Started", "schedule", "assign"),
    *("suspend", "resume", "fail", "timeout", "withdraw", "autoskip", "retry"),
)

Row = dict[str, Any]


@dataclass(frozen=True)
class World:
    """Everything that ever happened, as its sources tell it: no two tell different things."""

    rows: tuple[Row, ...]
    """Each event once per version; positions are unique."""

    def frame(self, numbers: set[int]) -> pl.DataFrame:
        """The rows with these numbers; of equal events without an id, all or none."""
        groups = {self.rows[number]["group"] for number in numbers}
        names = [name for name in BATCH if any(name in row for row in self.rows)]
        rows = [
            {name: row.get(name) for name in names} for row in self.rows if row["group"] in groups
        ]
        return pl.DataFrame(rows, schema={name: BATCH[name] for name in names})


def frame_of(rows: list[Row]) -> pl.DataFrame:
    """Events with the columns of `BATCH` that the rows have."""
    names = [name for name in BATCH if any(row.get(name) is not None for row in rows)]
    schema = {name: BATCH[name] for name in names}
    return pl.DataFrame([{name: row.get(name) for name in names} for row in rows], schema=schema)


def _fact(process: str, case_id: str, known: dict[str, str]) -> Row:
    text = known.get(f"{process}/{case_id}")
    if text is None:
        return {}
    return {
        "case_status": text,
        "parent_case_id": "parent",
        "case_attributes": json.dumps({"region": text, "size": len(text)}),
    }


_versioned = st.integers(1, 3)
_minutes = st.integers(0, 8)
_maybe = st.sampled_from


@st.composite
def happenings(draw: st.DrawFn, *, lifecycles: tuple[str | None, ...] = LIFECYCLES) -> Row:
    """One event without position or identity."""
    return {
        "process": draw(_maybe(("p", "q", None))),
        "case_id": draw(_maybe(CASES)),
        "activity": draw(_maybe(ACTIVITIES)),
        "lifecycle": draw(_maybe(lifecycles)),
        "timestamp": at(draw(_minutes)),
        "attempt": draw(_maybe((None, None, 1, 2))),
        "resource": draw(_maybe((None, "ann", "bob"))),
        "instance_id": draw(_maybe((None, None, None, "i1", "i2"))),
        "error_type": draw(_maybe((None, None, "Broken"))),
        "process_version": draw(_maybe((None, "v1", "v2"))),
        "attributes": draw(_maybe((None, '{"amount": 5}', '{"amount": 1.5, "of": "us"}'))),
    }


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Events with ids and without, corrected ones, real repeats, and facts about some cases."""
    facts = draw(
        st.dictionaries(
            st.sampled_from([f"{process}/{case}" for process in "pq" for case in CASES]),
            st.sampled_from(("completed", "failed", "running")),
        )
    )
    rows: list[Row] = []
    seen: dict[str, int] = {}
    for number in range(draw(st.integers(1, 14))):
        if draw(st.booleans()):
            process = draw(st.sampled_from("pq"))
            for version in range(1, draw(_versioned) + 1):
                row = {**draw(happenings()), "process": process, "version": version}
                rows.append({**row, "event_id": f"e{number}", "group": (number, version)})
        else:
            row = draw(happenings())
            identity = [row[name] for name in ("case_id", "activity", "lifecycle", "resource")]
            key = repr([row["process"] or "p", *identity, row["timestamp"]])
            if key not in seen:
                seen[key] = number
                repeats = draw(st.integers(1, 2))
                rows.extend({**row, "group": (number, 0)} for _ in range(repeats))
    order = draw(st.permutations(range(len(rows))))
    for row, position in zip(rows, order, strict=True):
        row["position"] = position
        row |= _fact(row["process"] or "p", row["case_id"], facts)
    return World(tuple(rows))


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[World, list[set[int]]]:
    """A world and the parts of it that arrive, late and twice and overlapping, in the end all."""
    world = draw(worlds())
    numbers = st.integers(0, len(world.rows) - 1)
    parts = draw(st.lists(st.sets(numbers, min_size=1), max_size=4))
    rest = set(range(len(world.rows))) - set().union(*parts)
    if rest or not parts:
        parts.insert(draw(st.integers(0, len(parts))), rest or {0})
    return world, parts
