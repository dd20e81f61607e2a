from __future__ import annotations

import polars as pl
import pytest

from miner import error_types, failures
from miner.eventlog.log import EventLog
from miner.performance.failures import ERRORS, FAILURES
from tests.logs import events_of, log_of, minutes


def test_attempts_failures_retries_and_recovery() -> None:
    found = failures(log_of({"c1": "A@0-5! A@10-15! A@20-25 B@30-31", "c2": "A@0-5!"}))
    columns = ("activity", "attempts", "failed_attempts", "failure_rate", "retries")
    assert found.select(columns).rows() == [("A", 4, 3, 0.75, 2), ("B", 1, 0, 0.0, 0)]
    recovery = ("episodes", "recovered", "median_recovery", "mean_recovery")
    assert found.select(recovery).rows() == [
        (2, 1, minutes(20), minutes(20)),  # c2 never recovered: its episode is censored
        (0, 0, None, None),
    ]


def test_an_activity_that_fails_again_after_success_has_two_episodes() -> None:
    found = failures(log_of({"c1": "A@0! A@5 A@10! A@20"}))
    assert found.select("episodes", "recovered", "median_recovery", "retries").rows() == [
        (2, 2, minutes(7.5), 2)
    ]


def test_a_time_out_fails_and_what_is_cancelled_or_skipped_does_not() -> None:
    found = failures(log_of({"c1": "A@0~", "c2": "A@0x", "c3": "A@0/", "c4": "A@0-", "c5": "A@0"}))
    assert found.select("attempts", "failed_attempts").rows() == [(3, 1)]
    assert found["failure_rate"].item() == pytest.approx(1 / 3)


def test_in_a_log_that_records_no_failures_all_but_the_attempts_are_unknown() -> None:
    found = failures(log_of({"c1": "A@0 A@1"}))
    assert found.row(0) == ("A", 2, *(None,) * (len(FAILURES) - 2))


def test_where_the_source_counts_attempts_these_are_the_retries() -> None:
    events = events_of({"c1": "A@0 A@1 A@2", "c2": "A@0"})
    attempts = pl.Series("attempt", [1, 2, 3, 1], dtype=pl.Int32)
    found = failures(EventLog.from_frame(events.with_columns(attempts)))
    assert found.select("attempts", "retries", "failure_rate").rows() == [(4, 2, None)]


def test_the_most_frequent_error_comes_first_and_equal_ones_by_name() -> None:
    events = events_of({"c1": "A@0! A@1! A@2! A@3", "c2": "B@0! B@1!", "c3": "C@0!"})
    kinds = pl.Series("error_type", ["Late", "Lost", "Lost", None, "Zinc", "Iron", None])
    log = EventLog.from_frame(events.with_columns(kinds))
    assert dict(failures(log).select("activity", "top_error").iter_rows()) == {
        "A": "Lost",
        "B": "Iron",
        "C": None,
    }
    assert error_types(log).rows() == [
        ("A", "Lost", 2, 1),
        ("A", "Late", 1, 1),
        ("B", "Iron", 1, 1),
        ("B", "Zinc", 1, 1),
        ("C", None, 1, 1),
    ]


def test_nothing_failed_is_zero_where_failures_are_recorded() -> None:
    found = failures(log_of({"c1": "A@0 B@1!", "c2": "A@0 B@1"}))
    row = found.filter(activity="A").row(0, named=True)
    assert (row["failed_attempts"], row["failure_rate"], row["retries"]) == (0, 0.0, 0)


def test_an_empty_log_has_no_failures() -> None:
    assert failures(log_of({})).equals(pl.DataFrame(schema=FAILURES))
    assert error_types(log_of({})).equals(pl.DataFrame(schema=ERRORS))
    assert error_types(log_of({"c1": "A@0"})).is_empty()
