from __future__ import annotations

from itertools import pairwise

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from miner import LogFilter, handovers
from miner.organization.handover import HANDOVERS
from tests.logs import log_of, minutes


def test_work_passes_from_one_to_the_next() -> None:
    found = handovers(
        log_of({"c1": "A@0(ann) B@5(bob) C@7(bob) D@9(ann)", "c2": "A@0(ann) B@9(bob)"})
    )
    assert found.rows() == [
        ("ann", "bob", 2, 2, minutes(7)),
        ("bob", "ann", 1, 1, minutes(2)),
    ]


def test_passing_on_to_oneself_counts_only_when_asked_for() -> None:
    log = log_of({"c1": "A@0(ann) B@5(ann)"})
    assert handovers(log).is_empty()
    assert handovers(log, to_self=True).rows() == [("ann", "ann", 1, 1, minutes(5))]


def test_where_there_are_starts_the_time_ends_with_them() -> None:
    found = handovers(log_of({"c1": "A@0-5(ann) B@8-20(bob)"}))
    assert found["median"].to_list() == [minutes(3)]


def test_who_begins_before_the_other_ended_has_no_time_between() -> None:
    found = handovers(log_of({"c1": "A@0-10(ann) B@5-20(bob)"}))
    assert found.select("frequency", "median").rows() == [(1, None)]


def test_work_of_nobody_hands_nothing_over() -> None:
    assert handovers(log_of({"c1": "A@0(ann) B@1 C@2(bob)"})).is_empty()


def test_the_most_frequent_are_kept_and_equal_ones_come_by_name() -> None:
    traces = {
        "c1": "A@0(z) B@1(y)",
        "c2": "A@0(b) B@1(a)",
        "c3": "A@0(z) B@1(y)",
        "c4": "A@0(a) B@1(b)",
    }
    log = log_of(traces)
    assert handovers(log).select("resource", "next_resource", "frequency").rows() == [
        ("z", "y", 2),
        ("a", "b", 1),
        ("b", "a", 1),
    ]
    assert handovers(log, top=1)["resource"].to_list() == ["z"]


def test_a_case_counts_once_however_often_it_goes_to_and_fro() -> None:
    found = handovers(log_of({"c1": "A@0(a) B@1(b) A@2(a) B@3(b)"}))
    assert found.select("resource", "frequency", "cases").rows() == [("a", 2, 1), ("b", 1, 1)]


def test_only_the_cases_of_the_filter_count() -> None:
    log = log_of({"c1": "A@0(ann) B@5(bob)", "c2": "A@0(cid) C@5(dan)"})
    assert handovers(log.filter(LogFilter.of("activity C")))["resource"].to_list() == ["cid"]


def test_without_resources_there_are_none() -> None:
    assert handovers(log_of({"c1": "A@0 B@1"})).is_empty()
    assert handovers(log_of({})).equals(pl.DataFrame(schema=HANDOVERS))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=6), min_size=1, max_size=4))
def test_with_oneself_they_add_up_to_instances_minus_cases(who: list[list[str]]) -> None:
    log = log_of(
        {
            f"c{number}": " ".join(f"A@{minute}({name})" for minute, name in enumerate(names))
            for number, names in enumerate(who)
        }
    )
    expected = sum(len(names) - 1 for names in who)
    assert handovers(log, to_self=True)["frequency"].sum() == expected
    others = sum(a != b for names in who for a, b in pairwise(names))
    assert handovers(log)["frequency"].sum() == others
