from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from miner import LogFilter, directly_follows
from miner.discovery.directly_follows import DIRECTLY_FOLLOWS
from tests.logs import log_of, minutes

traces = st.dictionaries(
    st.sampled_from(["c1", "c2", "c3", "c4"]),
    st.lists(
        st.tuples(st.sampled_from(["A", "B", "C"]), st.integers(0, 9)), min_size=1, max_size=8
    ).map(lambda steps: " ".join(f"{name}@{minute}" for name, minute in steps)),
    max_size=4,
)


def pairs(found: pl.DataFrame) -> dict[tuple[str, str], int]:
    inner = found.filter(
        pl.col("activity").is_not_null() & pl.col("next_activity").is_not_null()
    ).select("activity", "next_activity", "frequency")
    return {(first, second): frequency for first, second, frequency in inner.iter_rows()}


def test_how_often_in_how_many_cases_and_after_what_time() -> None:
    found = directly_follows(log_of({"c1": "A@0 B@5 A@6 B@9", "c2": "A@0 B@20"}))
    assert found.rows() == [
        ("A", "B", 3, 2, minutes(5), minutes(18.5), 0),
        (None, "A", 2, 2, None, None, 0),
        ("B", None, 2, 2, None, None, 0),
        ("B", "A", 1, 1, minutes(1), minutes(1), 0),
    ]


def test_where_there_are_starts_the_time_ends_with_them() -> None:
    found = directly_follows(log_of({"c1": "A@0-5 B@8-20"})).filter(activity="A")
    assert found.select("next_activity", "median").rows() == [("B", minutes(3))]


def test_what_begins_before_the_other_ended_is_counted_and_in_no_percentile() -> None:
    found = directly_follows(log_of({"c1": "A@0-10 B@5-20", "c2": "A@0-10 B@14-20"}))
    path = found.filter(activity="A", next_activity="B")
    assert path.select("frequency", "median", "overlapping").rows() == [(2, minutes(4), 1)]
    alone = directly_follows(log_of({"c1": "A@0-10 B@5-20"})).filter(activity="A")
    assert alone.select("median", "p95", "overlapping").rows() == [(None, None, 1)]


def test_the_order_of_a_case_is_that_of_completion_and_then_of_the_source() -> None:
    found = directly_follows(log_of({"c1": "B@5 A@5 C@0-9 D@1-2"}))
    assert set(pairs(found)) == {("D", "B"), ("B", "A"), ("A", "C")}


def test_an_open_case_has_no_end() -> None:
    found = directly_follows(log_of({"c1": "A@0 B@5-", "c2": "A@0"}))
    ends = found.filter(pl.col("next_activity").is_null())
    assert ends.select("activity", "frequency").rows() == [("A", 1)]
    assert pairs(found) == {("A", "B"): 1}


def test_a_filter_leaves_the_paths_of_its_cases() -> None:
    log = log_of({"c1": "A@0 B@5", "c2": "A@0 C@5 A@6 C@7"}).filter(LogFilter.of("activity C"))
    found = directly_follows(log)
    assert pairs(found) == {("A", "C"): 2, ("C", "A"): 1}
    assert found.filter(activity="A", next_activity="C")["cases"].item() == 1


def test_a_case_of_one_event_starts_and_ends_with_it() -> None:
    found = directly_follows(log_of({"c1": "A@0"}))
    assert found.select("activity", "next_activity", "frequency").rows() == [
        (None, "A", 1),
        ("A", None, 1),
    ]


def test_an_empty_log_has_no_paths() -> None:
    assert directly_follows(log_of({})).equals(pl.DataFrame(schema=DIRECTLY_FOLLOWS))


@settings(max_examples=30, deadline=None)
@given(traces)
def test_frequencies_add_up_to_instances_minus_cases(traces: dict[str, str]) -> None:
    found = directly_follows(log_of(traces))
    steps = sum(len(trace.split()) for trace in traces.values())
    assert sum(pairs(found).values()) == steps - len(traces)
    starts = found.filter(pl.col("activity").is_null())
    ends = found.filter(pl.col("next_activity").is_null())
    assert starts["frequency"].sum() == ends["frequency"].sum() == len(traces)
    assert (found["cases"] <= found["frequency"]).all()
