from __future__ import annotations

import polars as pl
from hypothesis import given, settings

from miner import LogFilter, activities
from miner.discovery.activities import ACTIVITIES
from tests.discovery.test_directly_follows import traces
from tests.logs import log_of, minutes


def test_how_often_in_how_many_cases_how_often_failed_how_long() -> None:
    found = activities(log_of({"c1": "A@0-10 B@15-20! B@30-40", "c2": "A@0-20"}))
    assert found.rows() == [
        ("A", 2, 2, 0, minutes(15), None),
        ("B", 2, 1, 1, minutes(7.5), minutes(7.5)),
    ]


def test_without_failures_and_starts_these_are_unknown() -> None:
    found = activities(log_of({"c1": "A@0 B@1"}))
    assert found.select("failed", "median_service", "median_waiting").rows() == [(None,) * 3] * 2


def test_a_time_out_is_a_failure_and_a_cancellation_is_none() -> None:
    found = activities(log_of({"c1": "A@0~ B@1x"}))
    assert dict(found.select("activity", "failed").iter_rows()) == {"A": 1, "B": 0}


def test_what_still_runs_is_counted() -> None:
    found = activities(log_of({"c1": "A@0 B@1-"}))
    assert dict(found.select("activity", "frequency").iter_rows()) == {"A": 1, "B": 1}


def test_activities_of_other_cases_are_not_there() -> None:
    log = log_of({"c1": "A@0", "c2": "B@0"})
    assert activities(log.filter(LogFilter.of("case c1")))["activity"].to_list() == ["A"]


def test_an_empty_log_has_no_activities() -> None:
    assert activities(log_of({})).equals(pl.DataFrame(schema=ACTIVITIES))


@settings(max_examples=30, deadline=None)
@given(traces)
def test_frequencies_and_cases_are_those_of_the_traces(traces: dict[str, str]) -> None:
    steps = [(case, step[0]) for case, trace in traces.items() for step in trace.split()]
    expected = {
        name: (sum(n == name for _, n in steps), len({case for case, n in steps if n == name}))
        for _, name in steps
    }
    found = activities(log_of(traces)).select("activity", "frequency", "cases")
    assert {name: (often, cases) for name, often, cases in found.iter_rows()} == expected
