"""Loading is exactly-once, however the events arrive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.contents import LOADING, content
from miner.eventlog import engine, invariants, staging
from miner.eventlog.writer import Writer
from tests.logs import at, events_of
from tests.strategies import Row, World, deliveries, frame_of, happenings

EVERYTHING = {**invariants.QUICK, **invariants.THOROUGH}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    writer = writer_of(tmp_path)
    yield writer
    writer.connection.close()


def writer_of(folder: Path) -> Writer:
    """A writer of an empty store in memory; one thread, because more only cost time here."""
    connection = engine.in_memory()
    connection.execute("set threads = 1")
    return Writer(folder, connection)


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


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(arrival=deliveries())
def test_events_make_the_same_store_however_they_arrive(
    folder: Path, arrival: tuple[World, list[set[int]]]
) -> None:
    world, parts = arrival
    in_parts, at_once = writer_of(folder), writer_of(folder)
    for part in parts:
        load(in_parts, world.frame(part))
        assert wrong(in_parts) == []
    load(at_once, world.frame(set(range(len(world.rows)))))
    assert wrong(at_once) == []
    assert difference(in_parts, at_once) == {}
    assert stale(in_parts) == []
    for one in (in_parts, at_once):
        one.connection.close()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
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
    writer = writer_of(folder)
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


def test_the_same_events_twice_add_nothing(writer: Writer) -> None:
    events = events_of({"c1": "A@0-5 B@7-9", "c2": "A@1 A@1"})
    assert load(writer, events) == {"read": 6, "new": 6}
    assert load(writer, events) == {"read": 6, "duplicate": 6}
    assert load(writer, events.sample(fraction=1, shuffle=True, seed=1)) == {
        "read": 6,
        "duplicate": 6,
    }
    assert wrong(writer) == []


def test_events_that_grew_add_only_what_is_new(writer: Writer) -> None:
    events = events_of({"c1": "A@0 B@7", "c2": "A@1 A@1", "c3": "C@3"})
    assert load(writer, events.head(3)) == {"read": 3, "new": 3}
    assert load(writer, events) == {"read": 5, "new": 2, "duplicate": 3}
    assert wrong(writer) == []


def test_equal_events_in_one_load_are_real_repeats(writer: Writer) -> None:
    once, twice = events_of({"c1": "A@1"}), events_of({"c1": "A@1 A@1"})
    assert load(writer, once) == {"read": 1, "new": 1}
    assert load(writer, twice) == {"read": 2, "new": 1, "duplicate": 1}


def test_an_event_with_an_id_is_the_same_event_whatever_it_says(writer: Writer) -> None:
    row = {"case_id": "c1", "activity": "A", "timestamp": at(1)}
    first = frame_of([row | {"event_id": "e1", "version": 1, "resource": "ann"}])
    newer = frame_of([row | {"event_id": "e1", "version": 2, "activity": "B", "resource": "bob"}])
    same = frame_of([row | {"event_id": "e1", "version": 3, "activity": "B", "resource": "bob"}])
    assert load(writer, first) == {"read": 1, "new": 1}
    assert load(writer, newer) == {"read": 1, "corrected": 1}
    assert load(writer, first) == {"read": 1, "duplicate": 1}
    assert load(writer, same) == {"read": 1, "unchanged": 1}
    assert load(writer, newer) == {"read": 1, "duplicate": 1}
    history = writer.connection.execute("select activity, resource, version from event_history")
    assert history.fetchall() == [("A", "ann", 1)]
    assert wrong(writer) == []


def test_a_correction_may_move_an_event_to_another_case(writer: Writer) -> None:
    row = {"activity": "A", "timestamp": at(1), "event_id": "e"}
    load(writer, frame_of([row | {"case_id": "c1", "version": 1}]))
    assert load(writer, frame_of([row | {"case_id": "c2", "version": 2}])) == {
        "read": 1,
        "corrected": 1,
    }
    cases = writer.connection.execute(
        'select case_id from "case" join case_identity using (case_key)'
    )
    assert cases.fetchall() == [("c2",)]
    assert wrong(writer) == []
    assert stale(writer) == []


def test_two_sources_may_use_the_same_ids(writer: Writer) -> None:
    row = {"case_id": "c1", "activity": "A", "timestamp": at(1)}
    frame = frame_of([row | {"event_id": "1"}])
    for source in ("one", "other"):
        counts = writer.append(frame, source=source, process="p").counts
        assert counts.new == 1
    assert wrong(writer) == []


def test_what_a_lifecycle_word_is_taken_for_does_not_make_an_event_another_one(
    writer: Writer,
) -> None:
    events = events_of({"c1": "A@1 A@5"}).with_columns(
        lifecycle=pl.Series(["Assigned", "Completed"])
    )
    states = events.with_columns(lifecycle=pl.Series(["Assigned", "Wait - User"])).head(1)
    unknown = events_of({"c1": "B@7 B@8"}).with_columns(
        lifecycle=pl.Series(["Wait - User", "Wait - Vendor"])
    )
    assert load(writer, pl.concat([states, unknown])) == {"read": 3, "new": 3}
    assert load(writer, events) == {"read": 2, "new": 1, "corrected": 1}
    assert wrong(writer) == []


def test_rows_that_are_no_events_go_to_quarantine_with_their_reason(writer: Writer) -> None:
    good = events_of({"c1": "A@1"})
    bad = frame_of([{"reason": "no timestamp", "record": "c1;A;"}])
    assert load(writer, pl.concat([good, bad], how="diagonal")) == {
        "read": 2,
        "new": 1,
        "rejected": 1,
    }
    rejected = writer.connection.execute("select process, source, reason, record from rejected")
    assert rejected.fetchall() == [("p", "test", "no timestamp", "c1;A;")]


def test_nothing_to_load_is_a_load_of_nothing(writer: Writer) -> None:
    assert load(writer, events_of({})) == {}
    assert wrong(writer) == []


def test_a_long_load_is_many_transactions_and_gives_the_same(
    tmp_path: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = events_of({f"c{number}": "A@0-5 B@7-9 A@12" for number in range(40)})
    load(writer, events)
    monkeypatch.setattr(staging, "BATCH_EVENTS", 20)
    batches = writer_of(tmp_path)
    load(batches, events)
    assert batches.changes() > writer.changes() + 5
    assert difference(batches, writer) == {}
    batches.connection.close()


def test_the_cursor_moves_with_the_events(writer: Writer) -> None:
    for cursor in ("page 1", "page 2"):
        writer.append(
            events_of({"c1": "A@1"}), source="api", process="p", scope="here", cursor=cursor
        )
    found = writer.connection.execute("select source, scope, cursor, load_id from cursor")
    assert found.fetchall() == [("api", "here", "page 2", 2)]
