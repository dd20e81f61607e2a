from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from miner import LogFilter, case, cases, rework, summary
from miner.eventlog.log import EventLog
from miner.performance.rework import REWORK
from tests.logs import at, events_of, log_of
from tests.strategies import frame_of


def test_self_loops_and_loops_are_rework() -> None:
    found = rework(log_of({"c1": "A@0 B@1 A@2 A@3", "c2": "A@0"}))
    row = found.filter(activity="A").row(0, named=True)
    assert (row["cases"], row["instances"]) == (2, 4)
    assert (row["rework_cases"], row["rework_instances"]) == (1, 2)
    assert (row["self_loops"], row["loops"]) == (1, 1)
    assert (row["rework_rate_of_cases"], row["rework_rate_of_instances"]) == (0.5, 0.5)
    assert found["activity"].to_list() == ["A", "B"]
    assert found.filter(activity="B")["rework_instances"].item() == 0


def test_a_retry_is_no_rework_and_stands_beside_it() -> None:
    found = rework(log_of({"c1": "A@0! A@1 B@2", "c2": "A@0 B@1 A@2"}))
    row = found.filter(activity="A").row(0, named=True)
    assert (row["rework_cases"], row["rework_instances"], row["retries"]) == (1, 1, 1)
    assert (row["self_loops"], row["loops"]) == (0, 1)
    assert row["repeated_cases"] == 2  # what pm4py calls rework counts both


def test_retries_are_unknown_where_neither_failures_nor_attempts_are_recorded() -> None:
    assert rework(log_of({"c1": "A@0 A@1"}))["retries"].to_list() == [None]


def test_the_next_one_may_be_done_by_another() -> None:
    found = rework(log_of({"c1": "A@0(ann) A@1(bob) A@2(bob)"}))
    assert found.select("self_loops", "self_loops_by_others").rows() == [(2, 1)]


def test_a_run_of_three_is_two_self_loops() -> None:
    assert rework(log_of({"c1": "A@0 A@1 A@2"}))["self_loops"].item() == 2


def test_what_a_person_starts_again_is_an_intervention_and_no_rework() -> None:
    events = events_of({"c1": "A@0! A@9 B@10"}).with_columns(attempt=pl.lit(1, pl.Int32))
    person = pl.DataFrame(
        {
            "case_id": ["c1"],
            "activity": ["A"],
            "lifecycle": ["retry"],
            "timestamp": [at(8)],
            "resource": ["ann"],
            "resource_kind": ["human"],
        }
    )
    log = EventLog.from_frame(pl.concat([events, person], how="diagonal_relaxed"))
    assert summary(log).interventions == 1
    assert summary(log).rework == 0
    assert rework(log)["rework_instances"].sum() == 0


def test_what_is_scheduled_again_and_never_begun_is_no_rework() -> None:
    scheduled = events_of({"c1": "A@5"}).with_columns(lifecycle=pl.lit("scheduled"))
    log = EventLog.from_frame(pl.concat([events_of({"c1": "A@0|1-2 B@3-4"}), scheduled]))
    row = rework(log).filter(activity="A").row(0, named=True)
    assert (row["instances"], row["rework_instances"], row["rework_cases"]) == (2, 0, 0)
    assert cases(log)["rework"].item() == 0
    assert not case(log, "c1").timeline["rework"].any()


def test_what_follows_an_attempt_whose_first_is_not_in_the_log_is_rework() -> None:
    events = events_of({"c1": "A@0 A@1"}).with_columns(attempt=pl.Series([2, 1], dtype=pl.Int32))
    log = EventLog.from_frame(events)
    assert rework(log)["rework_instances"].item() == 1
    assert (summary(log).retries, summary(log).rework) == (1, 1)


def test_an_empty_log_has_no_rework() -> None:
    assert rework(log_of({})).equals(pl.DataFrame(schema=REWORK))


_steps = st.lists(
    st.tuples(
        st.sampled_from("AB"),
        st.sampled_from(("complete", "complete", "fail", "retry", "scheduled")),
        st.sampled_from((None, None, None, 1, 2)),
        st.sampled_from(("ann", "bob")),
    ),
    min_size=1,
    max_size=7,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(_steps, min_size=1, max_size=4))
def test_cases_activities_and_the_summary_agree(traces: list[list[tuple[Any, ...]]]) -> None:
    rows = [
        {
            "case_id": f"c{number}",
            "activity": activity,
            "lifecycle": lifecycle,
            "timestamp": at(minute),
            "attempt": attempt,
            "resource": resource,
            "resource_kind": "human" if resource == "ann" else None,
        }
        for number, trace in enumerate(traces)
        for minute, (activity, lifecycle, attempt, resource) in enumerate(trace)
    ]
    log = EventLog.from_frame(frame_of(rows))
    found, listed, figures = rework(log), cases(log), summary(log)
    assert found["rework_instances"].sum() == listed["rework"].sum() == figures.rework
    assert (found["self_loops"] + found["loops"]).to_list() == found["rework_instances"].to_list()
    assert (found["loops"] >= 0).all() and (found["self_loops"] >= 0).all()
    assert (found["rework_cases"] <= found["cases"]).all()
    for activity, expected in found.select("activity", "rework_cases").iter_rows():
        again = log.filter(LogFilter.of(f"rework-of {activity}"))
        assert summary(again).cases == expected
    if figures.retries is not None:
        assert found["retries"].sum() == listed["retries"].sum() == figures.retries
    stories = []
    for case_id in listed["case_id"]:
        story = case(log, case_id).timeline
        expected = listed.filter(case_id=case_id)
        assert story["rework"].sum() == expected["rework"].item()
        assert story["retry"].sum() == (expected["retries"].item() or 0)
        assert story["intervention"].sum() <= expected["interventions"].item()
        stories.append(story)
    told = pl.concat(stories).group_by("activity").agg(pl.col("rework", "retry").sum())
    counted = found.select("activity", "rework_instances", pl.col("retries").fill_null(0))
    assert sorted(told.rows()) == sorted(counted.rows())
