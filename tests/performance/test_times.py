from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from miner import (
    activity_times,
    case_times,
    cycle_time_distribution,
    resource_idle_times,
    resource_times,
)
from miner.eventlog.log import EventLog
from miner.performance.times import (
    ACTIVITY_TIMES,
    CASE_TIMES,
    CYCLE_TIME_DISTRIBUTION,
    RESOURCE_IDLE_TIMES,
    RESOURCE_TIMES,
)
from tests.logs import at, events_of, log_of, minutes


def test_waiting_runs_from_the_last_completion_to_the_start() -> None:
    times = activity_times(log_of({"c1": "Create@0-10 Check@25-40 Pay@40-41"}))
    shown = times.select("activity", "median_waiting", "median_service", "median_sojourn")
    assert sorted(shown.rows()) == [
        ("Check", minutes(15), minutes(15), minutes(30)),
        ("Create", None, minutes(10), None),
        ("Pay", minutes(0), minutes(1), minutes(1)),
    ]


def test_work_that_overlaps_has_not_waited_for_it() -> None:
    times = activity_times(log_of({"c1": "A@0-10 B@20-60 C@30-40"}))
    assert dict(times.select("activity", "median_waiting").iter_rows()) == {
        "A": None,
        "B": minutes(10),
        "C": minutes(20),  # waited since A; B was still running
    }


def test_an_instance_that_takes_no_time_does_not_wait_for_itself() -> None:
    times = activity_times(log_of({"c1": "A@0-0 B@5-5"}))
    assert dict(times.select("activity", "median_waiting").iter_rows()) == {
        "A": None,
        "B": minutes(5),
    }


def test_queue_time_runs_from_being_scheduled_to_the_start() -> None:
    times = activity_times(log_of({"c1": "A@0-1 B@2|5-9"})).filter(activity="B")
    assert times["median_queue"].item() == minutes(3)
    assert times["median_waiting"].item() == minutes(4)


def test_without_start_events_times_are_unknown_rather_than_zero() -> None:
    times = activity_times(log_of({"c1": "A@0 B@5", "c2": "A@0 B@9"}))
    assert times.schema == ACTIVITY_TIMES
    unknown = [name for name, kind in ACTIVITY_TIMES.items() if isinstance(kind, pl.Duration)]
    assert times.select(unknown).null_count().row(0) == (2,) * len(unknown)
    assert times["instances"].to_list() == [2, 2]
    assert times["timed_instances"].to_list() == [0, 0]


def test_where_only_some_instances_have_a_start_only_these_are_timed() -> None:
    times = activity_times(log_of({"c1": "A@0 B@5-9", "c2": "A@0 B@7"})).filter(activity="B")
    assert times["instances"].item() == 2
    assert times["timed_instances"].item() == 1
    assert times["median_waiting"].item() == minutes(5)
    assert times["total_service"].item() == minutes(4)


def test_what_still_runs_has_no_service_time_yet() -> None:
    times = activity_times(log_of({"c1": "A@0-10 B@12-"}))
    assert times["activity"].to_list() == ["A"]


def test_time_between_suspend_and_resume_is_no_service() -> None:
    moments = [("start", 0), ("suspend", 10), ("resume", 40), ("complete", 45)]
    frame = pl.DataFrame(
        {
            "case_id": "c1",
            "activity": "A",
            "lifecycle": [word for word, _ in moments],
            "timestamp": [at(minute) for _, minute in moments],
            "position": range(4),
        }
    )
    assert activity_times(EventLog.from_frame(frame))["median_service"].item() == minutes(15)


def test_an_end_before_its_start_has_no_service_time() -> None:
    frame = events_of({"c1": "A@10-12 B@20-21"}).with_columns(
        timestamp=pl.when(activity="A", lifecycle="complete")
        .then(pl.lit(at(5)))
        .otherwise("timestamp"),
        instance_id="activity",
    )
    times = activity_times(EventLog.from_frame(frame))
    assert times.filter(activity="A")["median_service"].item() is None
    assert times.filter(activity="A")["timed_instances"].item() == 0
    assert times.filter(activity="B")["median_service"].item() == minutes(1)


def test_cycle_time_runs_from_the_first_event_to_the_last() -> None:
    times = case_times(log_of({"c1": "A@3 B@10", "c2": "A@0 B@60"}))
    assert times.select("case_id", "started_at", "completed_at", "cycle_time").rows() == [
        ("c2", at(0), at(60), minutes(60)),
        ("c1", at(3), at(10), minutes(7)),
    ]


def test_idle_time_is_what_the_union_of_the_work_leaves() -> None:
    times = case_times(log_of({"c1": "A@0-10 B@5-20 C@6-7 D@30-40"}))
    assert times["cycle_time"].item() == minutes(40)
    assert times["processing_time"].item() == minutes(10 + 15 + 1 + 10)
    assert times["idle_time"].item() == minutes(10)


def test_a_case_of_one_event_takes_no_time() -> None:
    times = case_times(log_of({"c1": "A@7"}))
    assert times.select("cycle_time", "processing_time", "idle_time", "events").rows() == [
        (minutes(0), None, None, 1)
    ]


def test_an_instance_without_a_start_adds_no_processing_time_where_others_have_one() -> None:
    times = case_times(log_of({"c1": "A@0 B@5-9", "c2": "A@0 B@7"}))
    assert times.select("case_id", "processing_time", "idle_time").rows() == [
        ("c1", minutes(4), minutes(5)),
        ("c2", minutes(0), minutes(7)),
    ]


def test_an_open_case_counts_up_to_its_last_event_and_says_so() -> None:
    times = case_times(log_of({"c1": "A@0-10 B@15-", "c2": "A@0-5"}))
    assert times.select("case_id", "status", "cycle_time").rows() == [
        ("c1", "running", minutes(15)),
        ("c2", "completed", minutes(5)),
    ]


def test_case_times_stop_at_the_limit_with_the_longest_first() -> None:
    log = log_of({f"c{n}": f"A@0 B@{n}" for n in range(5)})
    assert case_times(log, limit=2)["case_id"].to_list() == ["c4", "c3"]


def test_the_service_times_of_a_resource_are_of_its_own_work() -> None:
    traces = {
        "c1": "A@0-10(ann) B@20-30(bob)",
        "c2": "A@5-15(ann) B@40-46(bob) A@50(bob)",
    }
    times = resource_times(log_of(traces))
    shown = times.select("resource", "instances", "mean_service", "median_service")
    assert shown.rows() == [
        ("bob", 3, minutes(8), minutes(8)),
        ("ann", 2, minutes(10), minutes(10)),
    ]


def test_the_service_times_of_a_resource_without_starts_are_unknown() -> None:
    times = resource_times(log_of({"c1": "A@0(ann) B@10-20(bob)"}))
    assert times.filter(resource="ann").select("mean_service", "median_service").row(0) == (
        None,
        None,
    )


def test_a_resource_is_idle_between_its_first_and_last_event_while_it_does_not_work() -> None:
    traces = {
        "c1": "A@0-10(ann) B@20-30(bob) C@31-32",
        "c2": "A@5-15(ann) B@40-45(bob)",
    }
    assert resource_idle_times(log_of(traces)).select("resource", "idle_time").rows() == [
        ("bob", minutes(10)),
        ("ann", minutes(0)),  # two cases at once are one stretch of work
    ]


def test_nobody_knows_when_a_resource_without_starts_was_idle() -> None:
    traces = {"c1": "A@0(ann) B@10-20(bob) C@30(ann) D@50-60(bob)"}
    times = resource_idle_times(log_of(traces))
    assert times.select("resource", "idle_time").rows() == [("bob", minutes(30))]
    assert resource_idle_times(log_of({"c1": "A@0(ann) A@9(ann)"})).is_empty()


def test_failed_work_counts_for_the_resource_that_did_it() -> None:
    times = resource_times(log_of({"c1": "A@0-1!(w1) A@2-3~(w1) A@4-5(w2)"}))
    assert dict(times.select("resource", "failed_instances").iter_rows()) == {"w1": 2, "w2": 0}


def test_the_failed_work_of_a_resource_is_unknown_where_no_failures_are_recorded() -> None:
    times = resource_times(log_of({"c1": "A@0-1(w1)"}))
    assert times["failed_instances"].to_list() == [None]


def test_the_bins_of_cycle_times_hold_every_closed_case() -> None:
    traces = {f"c{minute}": f"A@0 B@{minute}" for minute in (0, 10, 20, 30)}
    found = cycle_time_distribution(log_of(traces | {"open": "A@0 B@500-"}), bins=3)
    assert found["cases"].to_list() == [1, 1, 2]
    assert found["low"].to_list() == [minutes(0), minutes(9.9), minutes(19.8)]
    assert found["high"].to_list() == [minutes(9.9), minutes(19.8), minutes(30)]


def test_cases_that_all_take_no_time_fall_into_the_first_bin() -> None:
    found = cycle_time_distribution(log_of({"c1": "A@0", "c2": "A@5"}), bins=4)
    assert found["cases"].to_list() == [2, 0, 0, 0]


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 5000), min_size=1, max_size=30), st.integers(1, 12))
def test_bins_lie_side_by_side_and_lose_nobody(lengths: list[int], bins: int) -> None:
    traces = {f"c{n}": f"A@0 B@{length}" for n, length in enumerate(lengths)}
    found = cycle_time_distribution(log_of(traces), bins=bins)
    assert found.height == bins
    assert found["cases"].sum() == len(lengths)
    assert found["low"].to_list()[1:] == found["high"].to_list()[:-1]
    for low, high, cases in found.iter_rows():
        is_last = low == found["low"].to_list()[-1]
        within = [n for n in lengths if low <= minutes(n) and (is_last or minutes(n) < high)]
        assert len(within) == cases
    assert max(minutes(length) for length in lengths) <= found["high"].to_list()[-1]


def test_an_empty_log_has_no_times() -> None:
    empty = log_of({})
    assert case_times(empty).equals(pl.DataFrame(schema=CASE_TIMES))
    assert activity_times(empty).equals(pl.DataFrame(schema=ACTIVITY_TIMES))
    assert resource_times(empty).equals(pl.DataFrame(schema=RESOURCE_TIMES))
    assert resource_idle_times(empty).equals(pl.DataFrame(schema=RESOURCE_IDLE_TIMES))
    found = cycle_time_distribution(empty)
    assert found.equals(pl.DataFrame(schema=CYCLE_TIME_DISTRIBUTION))
