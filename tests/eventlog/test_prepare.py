"""What is derived of a case: its times, its retries and rework, its verdict, its variant."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from miner.eventlog.log import EventLog
from tests.eventlog.test_pairing import cases, paired
from tests.logs import events_of, log_of, minutes
from tests.strategies import frame_of


def case(log: EventLog) -> dict[str, Any]:
    """The one case of a log."""
    return log.row('select columns(* exclude (status)), status::varchar as status from "case"')


def waiting(trace: str) -> dict[str, timedelta | None]:
    return dict(paired(log_of({"c1": trace})).select("activity", "waiting_time").iter_rows())


def retries(trace: str) -> list[bool]:
    return [kind == "retry" for kind in paired(log_of({"c1": trace}))["repetition"]]


def test_waiting_runs_from_the_last_completion_to_the_start() -> None:
    assert waiting("Create@0-10 Check@25-40 Pay@40-41") == {
        "Create": None,
        "Check": minutes(15),
        "Pay": minutes(0),
    }


def test_work_that_overlaps_waited_since_the_last_completion_before_its_own_start() -> None:
    assert waiting("A@0-10 B@20-60 C@30-40") == {"A": None, "B": minutes(10), "C": minutes(20)}


def test_work_that_started_before_anything_was_completed_has_not_waited() -> None:
    assert waiting("A@0-10 B@5-20") == {"A": None, "B": None}


def test_without_starts_waiting_and_service_are_unknown_rather_than_zero() -> None:
    frame = paired(log_of({"c1": "A@0 B@5"}))
    assert frame["waiting_time"].to_list() == [None, None]
    assert frame["service_time"].to_list() == [None, None]
    found = cases(log_of({"c1": "A@0 B@5"}))
    assert found.select("processing_time", "active_time").rows() == [(None, None)]


def test_active_time_counts_what_overlaps_once() -> None:
    found = cases(log_of({"c1": "A@0-10 B@5-15 C@20-30 D@22-25"}))
    assert found["active_time"].to_list() == [minutes(25)]
    assert found["processing_time"].to_list() == [minutes(33)]
    assert found["cycle_time"].to_list() == [minutes(30)]


def test_an_attempt_after_a_failed_one_of_the_same_activity_is_a_retry() -> None:
    assert retries("Pay@1! Pay@2") == [False, True]
    assert retries("Pay@1! Other@2 Pay@3~ Pay@4") == [False, False, True, True]


def test_doing_it_again_after_it_succeeded_is_rework_and_no_retry() -> None:
    found = cases(log_of({"c1": "Check@1 Check@2 Pay@3 Check@4"}))
    assert found.select("instances", "retries", "rework").rows() == [(4, 0, 2)]


def test_retries_are_counted_as_the_source_counts_them() -> None:
    events = events_of({"c1": "Pay@1! Pay@2! Pay@3"}).with_columns(attempt=pl.Series([1, 1, 2]))
    found = EventLog.from_frame(events)
    assert paired(found)["repetition"].to_list() == [None, None, "retry"]
    assert cases(found).select("retries", "rework").rows() == [(1, 1)]


@pytest.mark.parametrize(
    ("trace", "status"),
    [
        ("A@1 B@2", "completed"),
        ("A@1 B@2!", "failed"),
        ("A@1! B@2", "completed"),
        ("A@1 B@2~", "timed_out"),
        ("A@1 B@2x", "cancelled"),
        ("A@1 B@2/", "completed"),
        ("A@1- B@2", "running"),
    ],
)
def test_a_case_stands_as_its_last_instance_unless_something_still_runs(
    trace: str, status: str
) -> None:
    assert case(log_of({"c1": trace}))["status"] == status


def test_the_verdict_of_the_source_counts_more_than_the_last_instance() -> None:
    events = events_of({"c1": "A@1- B@2!"}).with_columns(case_status=pl.lit("Cancelled"))
    assert case(EventLog.from_frame(events))["status"] == "cancelled"


def test_a_manual_retry_is_an_intervention_and_no_activity() -> None:
    rows = [
        {"lifecycle": "fail", "resource": "engine", "resource_kind": "system"},
        {"lifecycle": "retry", "resource": "ann", "resource_kind": "human"},
        {"lifecycle": "complete", "resource": "engine", "resource_kind": "system"},
    ]
    times = events_of({"c1": "Pay@1 Pay@2 Pay@3"})["timestamp"]
    frame = frame_of(
        [
            {"case_id": "c1", "activity": "Pay", "timestamp": time, **row}
            for time, row in zip(times, rows, strict=True)
        ]
    )
    log = EventLog.from_frame(frame)
    found = case(log)
    assert (found["events"], found["instances"], found["interventions"]) == (3, 2, 1)
    assert (found["retries"], found["rework"]) == (0, 0)
    assert paired(log)["repetition"].to_list() == [None, "intervention"]


def test_cases_with_the_same_activities_in_the_same_order_share_a_variant() -> None:
    log = log_of({"c1": "A@0 B@1", "c2": "A@5 B@9", "c3": "B@0 A@1"})
    found = log.query(
        'select variant_key, count(*) as cases from "case" group by 1 order by 1',
        pl.Schema({"variant_key": pl.Int32(), "cases": pl.Int64()}),
    )
    assert found["cases"].to_list() == [2, 1]


def test_equal_timestamps_keep_the_order_of_the_source() -> None:
    log = log_of({"c1": "B@0 A@0 C@0"})
    assert paired(log)["activity"].to_list() == ["B", "A", "C"]


@pytest.mark.parametrize(
    ("trace", "kept"), [("A@0 B@1 A@2", (3, 0)), ("A@0-1 B@2", (0, 2)), ("A@0! A@1", (0, 2))]
)
def test_what_was_only_completed_is_kept_without_columns_that_hold_nothing(
    trace: str, kept: tuple[int, int]
) -> None:
    found = log_of({"c1": trace}).row(
        "select (select count(*) from completed_instance) as completed, "
        "(select count(*) from detailed_instance) as detailed"
    )
    assert (found["completed"], found["detailed"]) == kept


def test_cases_of_both_kinds_stand_side_by_side() -> None:
    log = log_of({"c1": "A@0 B@1"})
    later = events_of({"c1": "A@0 B@1", "c2": "A@2-3 B@4"})
    both = EventLog.from_frame(later)
    assert paired(both).filter(case_id="c1").rows() == paired(log).rows()


def test_a_case_with_one_event_takes_no_time() -> None:
    assert cases(log_of({"c1": "A@5"}))["cycle_time"].to_list() == [minutes(0)]
