from __future__ import annotations

import polars as pl
import pytest

from miner import LogFilter, bottlenecks
from miner.performance.bottlenecks import BOTTLENECKS
from tests.logs import log_of, minutes


def test_activities_and_hand_overs_by_the_waiting_they_add() -> None:
    found = bottlenecks(log_of({"c1": "A@0-10 B@25-40 C@40-41", "c2": "A@0-10 B@15-16"}))
    shown = found.select(
        "activity", "previous_activity", "cases", "frequency", "total_waiting", "median"
    )
    assert shown.rows() == [
        ("B", None, 2, 2, minutes(20), minutes(10)),
        ("B", "A", 2, 2, minutes(20), minutes(10)),
        ("C", None, 1, 1, minutes(0), minutes(0)),
        ("C", "B", 1, 1, minutes(0), minutes(0)),
    ]
    assert found["share_of_cycle_time"].to_list() == pytest.approx([20 / 57, 20 / 57, 0, 0])
    assert found["measured"].unique().to_list() == ["waiting"]


def test_without_starts_it_is_the_time_from_completion_to_completion() -> None:
    found = bottlenecks(log_of({"c1": "A@0 B@30 C@40"}))
    shown = found.select("activity", "previous_activity", "total_waiting", "total_sojourn")
    assert shown.rows() == [
        ("B", None, None, minutes(30)),
        ("B", "A", None, minutes(30)),
        ("C", None, None, minutes(10)),
        ("C", "B", None, minutes(10)),
    ]
    assert found["share_of_cycle_time"].to_list() == pytest.approx([0.75, 0.75, 0.25, 0.25])
    assert found["measured"].unique().to_list() == ["sojourn"]


def test_overlapping_work_adds_no_waiting() -> None:
    assert bottlenecks(log_of({"c1": "A@0-10 B@5-20"})).is_empty()


def test_a_case_that_passes_a_path_twice_counts_once() -> None:
    found = bottlenecks(log_of({"c1": "A@0 B@1 A@2 B@5"}))
    path = found.filter(activity="B", previous_activity="A")
    assert path.select("cases", "frequency", "total_sojourn").rows() == [(1, 2, minutes(4))]


def test_only_the_cases_of_the_filter_wait() -> None:
    log = log_of({"c1": "A@0 B@30", "c2": "A@0 B@5"}).filter(LogFilter.of("case c2"))
    found = bottlenecks(log).filter(pl.col("previous_activity").is_null())
    assert found.select("activity", "cases", "total_sojourn").rows() == [("B", 1, minutes(5))]


def test_an_empty_log_has_no_bottlenecks() -> None:
    assert bottlenecks(log_of({})).equals(pl.DataFrame(schema=BOTTLENECKS))


def test_cases_of_one_event_have_none() -> None:
    assert bottlenecks(log_of({"c1": "A@0", "c2": "A@5"})).is_empty()
