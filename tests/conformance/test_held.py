"""What was aligned once is kept, and only what is new is aligned again."""

from __future__ import annotations

import random
from pathlib import Path

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.conformance.conform import conformance
from miner.conformance.deviations import deviations
from miner.conformance.held import hold
from miner.eventlog.filters import LogFilter
from miner.eventlog.log import EventLog
from miner.eventlog.store import EventStore
from tests.conformance.models import held_against, sequence, workflows_of
from tests.logs import at, events_of

ABC = sequence("a", "b", "c")
FIRST = {"c1": "a@0 b@1 c@2", "c2": "a@0 c@2", "c3": "a@0 b@1! b@2 c@3"}


def load(store: EventStore, events: pl.DataFrame) -> None:
    with store.write() as writer:
        writer.append(events, source="s", process="p")


def test_what_is_aligned_is_kept_in_the_store(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "store")
    load(store, events_of(FIRST))
    first = held_against(store.log("p"), ABC, store)
    assert first.new_alignments == 3
    version = store.snapshot().version
    again = held_against(store.log("p"), ABC, store)
    assert again.new_alignments == 0
    assert conformance(again).total_cost == conformance(first).total_cost
    assert store.snapshot().version == version


def test_only_new_traces_are_aligned_after_a_load(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "store")
    load(store, events_of(FIRST))
    held_against(store.log("p"), ABC, store)
    load(store, events_of({"c4": "a@9 b@10 c@11", "c5": "b@9 b@10 c@11"}))
    assert held_against(store.log("p"), ABC, store).new_alignments == 1


def test_another_model_is_aligned_anew_and_both_are_kept(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "store")
    load(store, events_of(FIRST))
    held_against(store.log("p"), ABC, store)
    assert held_against(store.log("p"), sequence("a", "c"), store).new_alignments == 3
    assert held_against(store.log("p"), ABC, store).new_alignments == 0


def test_what_is_kept_of_one_process_is_not_used_for_another(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "store")
    load(store, events_of(FIRST))
    with store.write() as writer:
        writer.append(events_of({"x": "c@0 b@1 a@2"}), source="s", process="q")
    held_against(store.log("p"), ABC, store)
    other = held_against(store.log("q"), ABC, store)
    assert (other.new_alignments, conformance(other).cases) == (1, 1)


LETTERS = st.sampled_from("abcx")
ATTEMPTS = st.lists(st.tuples(LETTERS, st.integers(1, 2), st.booleans()), min_size=1, max_size=6)


@settings(max_examples=12, deadline=None)
@given(
    cases=st.dictionaries(st.sampled_from(["c1", "c2", "c3", "c4"]), ATTEMPTS, min_size=1),
    seed=st.integers(0, 2**16),
    parts=st.integers(1, 4),
)
def test_what_is_kept_over_many_loads_equals_what_is_computed_at_once(
    cases: dict[str, list[tuple[str, int, bool]]],
    seed: int,
    parts: int,
    tmp_path_factory: object,
) -> None:
    rows = [
        (case, name, at(minute), attempt, "skip" if skipped else "complete")
        for case, trace in cases.items()
        for minute, (name, attempt, skipped) in enumerate(trace)
    ]
    names = ("case_id", "activity", "timestamp", "attempt", "lifecycle")
    events = pl.DataFrame(rows, schema=names, orient="row").with_columns(
        pl.col("attempt").cast(pl.Int32())
    )
    events = pl.concat([events, pl.DataFrame({"case_id": ["z"] * 3, "activity": ["a", "b", "c"],
        "timestamp": [at(0), at(1), at(2)], "attempt": [1, 1, 1], "lifecycle": ["complete"] * 3},
        schema=events.schema)])  # fmt: skip
    folder = tmp_path_factory.mktemp("kept")  # type: ignore[attr-defined]
    store = EventStore(folder / "store")
    chooser = random.Random(seed)
    part = pl.Series("part", [chooser.randrange(parts) for _ in range(events.height)])
    for number in range(parts):
        some = events.filter(part == number)
        if some.height:
            load(store, some)
            log = store.log("p")
            hold(log, workflows_of(log, ABC), store=store)
    kept = held_against(store.log("p"), ABC)
    assert kept.new_alignments == 0
    fresh = held_against(EventLog.from_frame(events), ABC)
    assert conformance(kept).total_cost == conformance(fresh).total_cost
    order = ["case_id", "number", "kind", "activity"]
    assert deviations(kept).sort(order).equals(deviations(fresh).sort(order), null_equal=True)


def test_a_filtered_log_keeps_what_it_found_for_the_whole(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "store")
    load(store, events_of(FIRST))
    some = store.log("p", LogFilter.of("without-activity b"))
    assert held_against(some, ABC, store).new_alignments == 1
    assert held_against(store.log("p"), ABC, store).new_alignments == 2


def test_what_was_cancelled_was_not_done(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "store")
    cases = {"c1": "a@0 b@1-2x c@3", "c2": "a@0 b@1-2x b@3 c@4", "c3": "a@0 b@1 c@2 c@3x"}
    load(store, events_of(cases))
    found = deviations(held_against(store.log("p"), ABC))
    assert found.select("case_id", "kind", "activity").rows() == [("c1", "skipped", "b")]


def test_a_retry_is_left_out_only_where_an_earlier_attempt_is_known() -> None:
    traces: dict[str, list[tuple[str, int | None]]] = {
        "both": [("a", 1), ("b", 1), ("b", 2), ("c", 1)],
        "last": [("a", 1), ("b", 3), ("c", 1)],
        "again": [("a", 1), ("b", 3), ("b", 2), ("c", 1)],
        "unknown": [("a", None), ("b", None), ("b", None), ("c", None)],
    }
    rows = [
        (case, name, at(minute), attempt, "fail" if name == "b" and minute == 1 else "complete")
        for case, trace in traces.items()
        for minute, (name, attempt) in enumerate(trace)
    ]
    names = ("case_id", "activity", "timestamp", "attempt", "lifecycle")
    log = EventLog.from_frame(pl.DataFrame(rows, schema=names, orient="row"))
    found = deviations(held_against(log, ABC))
    assert found.select("case_id", "kind", "activity").rows() == [("again", "repeated", "b")]
