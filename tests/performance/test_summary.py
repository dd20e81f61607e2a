from __future__ import annotations

import polars as pl
import pytest

from miner import LogFilter, summary
from miner.eventlog.log import EventLog
from miner.performance.summary import headline
from tests.logs import at, events_of, log_of, minutes

ORDERS = {
    "c1": "A@0 B@10",
    "c2": "A@0 B@30",
    "c3": "A@0 B@20!",
    "open": "A@5 B@50-",
}


def test_counts_are_of_all_cases() -> None:
    found = summary(log_of(ORDERS))
    assert (found.process, found.cases, found.events) == ("log", 4, 8)
    assert (found.activities, found.variants) == (2, 1)
    assert (found.open_cases, found.closed_cases, found.failed_cases) == (1, 3, 1)
    assert (found.first_event, found.last_event) == (at(0), at(50))


def test_open_cases_are_left_out_of_the_figures_on_closed_ones() -> None:
    found = summary(log_of(ORDERS))
    assert found.median_cycle_time == minutes(20)
    assert found.p95_cycle_time == minutes(29)
    assert found.p99_cycle_time == minutes(29.8)
    assert found.failure_rate == pytest.approx(1 / 3)
    assert found.first_pass_yield == pytest.approx(2 / 3)
    assert found.throughput_per_day == pytest.approx(3 / (50 / 1440))
    assert found.median_cycle_time_of_all == minutes(25)  # of 10, 20, 30 and 45


def test_a_cancelled_case_is_closed_and_not_failed() -> None:
    found = summary(log_of({"c1": "A@0 B@10x", "c2": "A@0 B@10~"}))
    assert (found.closed_cases, found.cancelled_cases, found.failed_cases) == (2, 1, 1)
    assert found.failure_rate == 0.5
    assert found.first_pass_yield == 0


def test_in_a_log_that_records_no_failures_they_are_unknown() -> None:
    found = summary(log_of({"c1": "A@0 B@10", "c2": "A@0 A@5"}))
    assert found.failed_cases is None
    assert found.failure_rate is None
    assert found.first_pass_yield is None
    assert found.retry_rate is None
    assert found.retries is None
    assert found.rework_rate == 0.5  # this one the log does say


def test_a_filter_that_leaves_only_good_cases_knows_that_failures_are_recorded() -> None:
    found = summary(log_of(ORDERS).filter(LogFilter.of("case c1")))
    assert (found.cases, found.failed_cases, found.failure_rate) == (1, 0, 0.0)


def test_the_verdict_of_the_source_stands_above_the_last_activity() -> None:
    frame = events_of({"c1": "A@0 B@10!", "c2": "A@0 B@10", "c3": "A@0"})
    verdict = pl.col("case_id").replace_strict(
        {"c1": "completed", "c2": "timed_out", "c3": "running"}, return_dtype=pl.String
    )
    found = summary(EventLog.from_frame(frame.with_columns(case_status=verdict)))
    assert (found.failed_cases, found.open_cases, found.closed_cases) == (1, 1, 2)
    assert found.first_pass_yield == 0  # c1 had a failed attempt, c2 timed out


def test_retry_rework_and_intervention_are_three_things() -> None:
    events = events_of(
        {
            "retried": "A@0! A@5 B@6",
            "reworked": "A@0 B@5 A@6 B@7",
            "rescued": "A@0! A@9 B@10",
            "smooth": "A@0 B@5",
        }
    ).with_columns(attempt=pl.lit(1, pl.Int32))
    second = (pl.col("case_id") == "retried") & (pl.col("timestamp") == at(5))
    events = events.with_columns(attempt=pl.when(second).then(2).otherwise("attempt"))
    person = pl.DataFrame(
        {
            "case_id": ["rescued"],
            "activity": ["A"],
            "lifecycle": ["retry"],
            "timestamp": [at(8)],
            "resource": ["ann"],
            "resource_kind": ["human"],
            "position": [99],
        }
    )
    log = EventLog.from_frame(pl.concat([events, person], how="diagonal_relaxed"))
    found = summary(log)
    assert (found.retries, found.retry_rate) == (1, 0.25)
    assert (found.rework, found.rework_rate) == (2, 0.25)
    assert found.interventions == 1
    assert found.first_pass_yield == 0.25


def test_what_the_engine_tries_again_is_no_intervention() -> None:
    events = events_of({"c1": "A@0! A@9"})
    engine = pl.DataFrame(
        {"case_id": ["c1"], "activity": ["A"], "lifecycle": ["retry"], "timestamp": [at(8)]}
    )
    log = EventLog.from_frame(pl.concat([events, engine], how="diagonal_relaxed"))
    assert summary(log).interventions == 0


def test_an_empty_log_counts_zero_and_knows_nothing_else() -> None:
    found = summary(log_of({}))
    assert (found.cases, found.events, found.activities, found.variants) == (0, 0, 0, 0)
    assert (found.open_cases, found.closed_cases, found.rework, found.interventions) == (0, 0, 0, 0)
    for name in ("first_event", "last_event", "median_cycle_time", "p95_cycle_time"):
        assert getattr(found, name) is None
    for name in ("failure_rate", "retry_rate", "rework_rate", "first_pass_yield"):
        assert getattr(found, name) is None
    assert found.throughput_per_day is None


def test_a_filter_that_nothing_meets_is_an_empty_log() -> None:
    found = summary(log_of(ORDERS).filter(LogFilter.of("longer-than 9d")))
    assert (found.cases, found.median_cycle_time, found.failure_rate) == (0, None, None)


def test_one_event_has_no_throughput() -> None:
    found = summary(log_of({"c1": "A@0"}))
    assert found.median_cycle_time == minutes(0)
    assert found.throughput_per_day is None


def test_the_headline_names_the_worst_bottleneck() -> None:
    shown = headline(log_of({"c1": "A@0-10 B@25-40 C@40-41"}))
    assert shown["worst_bottleneck"] == "B"
    assert headline(log_of({"c1": "A@0"}))["worst_bottleneck"] is None
