from __future__ import annotations

import json

import polars as pl
import pytest

from miner import LogFilter, case, cases
from miner.errors import InputError, UnknownNameError
from miner.eventlog.log import EventLog
from miner.performance.cases import CASE_EVENTS, CASES, TIMELINE
from tests.logs import at, events_of, log_of, minutes

LOG = {
    "c1": "A@0-5(ann) B@6-10!(bob) B@12-20(bob)",
    "c2": "A@30-31(ann)",
    "c3": "A@10-11 A@12-",
}


def test_the_longest_case_comes_first() -> None:
    found = cases(log_of(LOG))
    shown = found.select("case_id", "status", "cycle_time", "events", "instances")
    assert shown.rows() == [
        ("c1", "completed", minutes(20), 6, 3),
        ("c3", "running", minutes(2), 3, 2),
        ("c2", "completed", minutes(1), 2, 1),
    ]
    trouble = found.select("failed_attempts", "retries", "rework", "interventions")
    assert trouble.rows() == [(1, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 0)]
    assert found["last_activity"].to_list() == ["B", "A", "A"]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("longest", ["c1", "c3", "c2"]),
        ("newest", ["c2", "c3", "c1"]),
        ("oldest", ["c1", "c3", "c2"]),
    ],
)
def test_cases_come_in_the_order_that_was_asked_for(order: str, expected: list[str]) -> None:
    assert cases(log_of(LOG), order=order)["case_id"].to_list() == expected


def test_pages_follow_on_each_other() -> None:
    log = log_of({f"c{number}": "A@0" for number in range(7)})  # all equal: by case id
    pages = [cases(log, limit=3, offset=offset)["case_id"].to_list() for offset in (0, 3, 6, 9)]
    assert pages == [["c0", "c1", "c2"], ["c3", "c4", "c5"], ["c6"], []]


def test_another_order_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="longest"):
        cases(log_of(LOG), order="longst")


def test_the_story_of_a_case() -> None:
    found = case(log_of(LOG), "c1")
    assert (found.status, found.started_at, found.completed_at) == ("completed", at(0), at(20))
    assert found.cycle_time == minutes(20)
    assert found.timeline.schema == TIMELINE
    told = ("number", "activity", "status", "retry", "rework", "resource", "waiting", "service")
    assert found.timeline.select(told).rows() == [
        (1, "A", "completed", False, False, "ann", None, minutes(5)),
        (2, "B", "failed", False, False, "bob", minutes(1), minutes(4)),
        (3, "B", "completed", True, False, "bob", minutes(2), minutes(8)),
    ]
    assert found.events.schema == CASE_EVENTS
    assert found.events.select("timestamp", "activity", "lifecycle").rows() == [
        (at(0), "A", "start"),
        (at(5), "A", "complete"),
        (at(6), "B", "start"),
        (at(10), "B", "fail"),
        (at(12), "B", "start"),
        (at(20), "B", "complete"),
    ]


def test_cases_of_the_same_variant_are_counted_within_the_filter() -> None:
    log = log_of({"c1": "A@0 B@1", "c2": "A@0 B@9", "c3": "A@0"})
    assert case(log, "c1").variant_cases == 2
    assert case(log.filter(LogFilter.of("case c1")), "c1").variant_cases == 1


def test_attributes_of_case_and_event_come_back_as_they_were() -> None:
    attributes = {"amount": 12.5, "who": 'O\'Neil "Bob"\n', "open": True}
    frame = events_of({"c1": "A@0"}).with_columns(
        case_attributes=pl.lit(json.dumps(attributes)), attributes=pl.lit('{"colour":"blue"}')
    )
    found = case(EventLog.from_frame(frame), "c1")
    assert found.attributes == attributes
    assert json.loads(found.events["attributes"].item()) == {"colour": "blue"}


def test_an_unknown_case_is_refused() -> None:
    with pytest.raises(InputError, match="no case 'c9'"):
        case(log_of(LOG), "c9")


def test_a_case_that_the_filter_leaves_out_is_unknown() -> None:
    with pytest.raises(InputError, match="no case 'c2'"):
        case(log_of(LOG).filter(LogFilter.of("activity B")), "c2")


def test_an_empty_log_has_no_cases() -> None:
    assert cases(log_of({})).equals(pl.DataFrame(schema=CASES))


def test_failed_attempts_and_retries_are_unknown_where_nobody_records_them() -> None:
    found = cases(log_of({"c1": "A@0 A@1"}))
    assert found.select("failed_attempts", "retries", "rework").rows() == [(None, None, 1)]
