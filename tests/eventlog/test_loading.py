"""Loading is exactly-once, however the events arrive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from benchmarks.contents import LOADING, content
from miner.eventlog import engine, invariants
from miner.eventlog.writer import Writer
from tests.strategies import Row, World, deliveries, frame_of, happenings

QUICKLY = (Phase.explicit, Phase.reuse, Phase.generate)
EVERYTHING = {**invariants.QUICK, **invariants.THOROUGH}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    connection = engine.in_memory()
    yield Writer(tmp_path, connection)
    connection.close()


def load(writer: Writer, events: pl.DataFrame) -> dict[str, int]:
    """Load into process `p`; what became of the events, leaving out what is zero."""
    counts = writer.append(events, source="test", process="p").counts
    counts.check()
    assert counts.read == events.height
    return {name: number for name, number in vars(counts).items() if number}


def wrong(writer: Writer) -> list[str]:
    """What does not hold of the store."""
    found = invariants.findings(writer.connection, EVERYTHING)
    return [f"{finding.statement}: {finding.detail}" for finding in found if not finding.holds]


def stale(writer: Writer) -> list[str]:
    """What of the derived tables a full rebuild would have made differently."""
    before = content(writer.connection)
    found = invariants.rebuilt_equals(writer.connection)
    assert content(writer.connection) == before
    return [f"{finding.statement}: {finding.detail}" for finding in found if not finding.holds]


def difference(one: Writer, other: Writer) -> dict[str, set[str]]:
    """The rows that only one of two stores holds, leaving out how they came in."""
    left = content(one.connection, without=LOADING)
    right = content(other.connection, without=LOADING)
    return {
        name: set(map(repr, left[name])) ^ set(map(repr, right[name]))
        for name in left
        if left[name] != right[name]
    }


@settings(max_examples=60, deadline=None, phases=QUICKLY, suppress_health_check=[HealthCheck.too_slow])
@given(arrival=deliveries())
def test_events_make_the_same_store_however_they_arrive(
    folder: Path, arrival: tuple[World, list[set[int]]]
) -> None:
    world, parts = arrival
    in_parts = Writer(folder, engine.in_memory())
    at_once = Writer(folder, engine.in_memory())
    for part in parts:
        load(in_parts, world.frame(part))
        assert wrong(in_parts) == []
    load(at_once, world.frame(set(range(len(world.rows)))))
    assert wrong(at_once) == []
    assert difference(in_parts, at_once) == {}
    assert stale(in_parts) == []
    for one in (in_parts, at_once):
        one.connection.close()


@settings(max_examples=40, deadline=None, phases=QUICKLY, suppress_health_check=[HealthCheck.too_slow])
@given(
    frames=st.lists(
        st.lists(
            st.tuples(
                happenings(),
                st.sampled_from((None, None, 0, 1)),
                st.sampled_from((None, "e1", "e2", "e3")),
                st.sampled_from((None, 1, 2)),
                st.sampled_from((None, None, None, "completed", "running")),
                st.sampled_from((None, None, None, None, "no timestamp")),
            ),
            min_size=1,
            max_size=8,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_derived_tables_equal_a_full_rebuild_even_when_sources_contradict_each_other(
    folder: Path, frames: list[list[tuple[Row, int | None, str | None, int | None, str, str]]]
) -> None:
    writer = Writer(folder, engine.in_memory())
    for rows in frames:
        names = ("position", "event_id", "version", "case_status", "reason")
        frame = frame_of([row | dict(zip(names, rest, strict=True)) for row, *rest in rows])
        load(writer, frame)
        assert wrong(writer) == []
        again = load(writer, frame)
        assert "new" not in again
        assert wrong(writer) == []
    assert stale(writer) == []
    writer.connection.close()
