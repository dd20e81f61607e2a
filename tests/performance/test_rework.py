from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miner import case, cases, rework, summary
from miner.eventlog.log import EventLog
from miner.performance.rework import REWORK
from tests.logs import at, events_of, log_of


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


@pytest.mark.xfail(
    strict=True, reason="what a person starts again counts as rework as well as an intervention"
)
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


def test_an_empty_log_has_no_rework() -> None:
    assert rework(log_of({})).equals(pl.DataFrame(schema=REWORK))


_steps = st.lists(
    st.tuples(st.sampled_from("AB"), st.sampled_from(("", "!"))), min_size=1, max_size=7
)


@settings(max_examples=40, deadline=None)
@given(st.lists(_steps, min_size=1, max_size=4))
def test_cases_activities_and_the_summary_agree(traces: list[list[tuple[str, str]]]) -> None:
    log = log_of(
        {
            f"c{number}": " ".join(f"{name}@{at_}{end}" for at_, (name, end) in enumerate(trace))
            for number, trace in enumerate(traces)
        }
    )
    found, listed, figures = rework(log), cases(log), summary(log)
    assert found["rework_instances"].sum() == listed["rework"].sum() == figures.rework
    assert (found["self_loops"] + found["loops"]).to_list() == found["rework_instances"].to_list()
    assert (found["loops"] >= 0).all() and (found["self_loops"] >= 0).all()
    assert (found["rework_cases"] <= found["cases"]).all()
    if figures.retries is not None:
        assert found["retries"].sum() == listed["retries"].sum() == figures.retries
    for case_id in listed["case_id"]:
        story = case(log, case_id).timeline
        expected = listed.filter(case_id=case_id)
        assert story["rework"].sum() == expected["rework"].item()
        assert story["retry"].sum() == (expected["retries"].item() or 0)
