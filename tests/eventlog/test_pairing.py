"""Lifecycle transitions become activity instances."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from miner.eventlog.log import EventLog
from tests.eventlog import reference
from tests.logs import at, log_of, minutes
from tests.strategies import ACTIVITIES, CASES, frame_of

PAIRED = pl.Schema(
    {
        "case_id": pl.String(),
        "number": pl.Int32(),
        "activity": pl.String(),
        "scheduled_at": pl.Datetime("us"),
        "started_at": pl.Datetime("us"),
        "completed_at": pl.Datetime("us"),
        "status": pl.String(),
        "attempt": pl.Int32(),
        "resource": pl.String(),
        "next_activity": pl.String(),
        "repetition": pl.String(),
        "waiting_time": pl.Duration("us"),
        "service_time": pl.Duration("us"),
    }
)
CASE = pl.Schema(
    {
        "case_id": pl.String(),
        "instances": pl.Int32(),
        "retries": pl.Int32(),
        "rework": pl.Int32(),
        "failed_instances": pl.Int32(),
        "processing_time": pl.Duration("us"),
        "active_time": pl.Duration("us"),
        "cycle_time": pl.Duration("us"),
    }
)


def paired(log: EventLog) -> pl.DataFrame:
    return log.query(
        """
        select i.case_id, a.activity, b.activity as next_activity, r.resource,
            columns(t.* exclude (case_key, activity_key, next_activity_key, resource_key))
        from activity_instance as t
        join case_identity as i using (case_key)
        join activity as a on a.activity_key = t.activity_key
        left join activity as b on b.activity_key = t.next_activity_key
        left join resource as r on r.resource_key = t.resource_key
        order by i.case_id, t.number
        """,
        PAIRED,
    )


def cases(log: EventLog) -> pl.DataFrame:
    return log.query(
        'select case_id, columns(c.* exclude (case_key)) from "case" as c '
        "join case_identity using (case_key) order by case_id",
        CASE,
    )


def rows(traces: dict[str, str], *names: str) -> list[tuple[Any, ...]]:
    return paired(log_of(traces)).select(*names).rows()


def test_the_nth_start_of_an_activity_belongs_to_its_nth_completion() -> None:
    frame = rows({"c1": "A@0-10 A@2-12"}, "started_at", "completed_at")
    assert frame == [(at(0), at(10)), (at(2), at(12))]


def test_a_completion_while_nothing_was_running_has_no_start() -> None:
    frame = rows({"c1": "A@1 A@5-9"}, "started_at", "completed_at", "service_time")
    assert frame == [(None, at(1), None), (at(5), at(9), minutes(4))]


def test_what_was_started_and_not_completed_runs_and_comes_last() -> None:
    frame = rows({"c1": "A@0- B@2-3"}, "activity", "status", "completed_at")
    assert frame == [("B", "completed", at(3)), ("A", "running", None)]


def test_what_was_scheduled_and_then_skipped_or_cancelled_is_one_instance() -> None:
    frame = rows({"c1": "A@0|4/ B@1|5x"}, "activity", "scheduled_at", "started_at", "status")
    assert frame == [("A", at(0), None, "skipped"), ("B", at(1), None, "cancelled")]
    assert log_of({"c1": "A@0|4/"}).row('select status::varchar as s from "case"')["s"] != "running"


def test_of_what_is_scheduled_the_first_is_started_first() -> None:
    frame = rows({"c1": "A@5-6 A@7|9-10 A@8|11-12"}, "scheduled_at", "started_at")
    assert frame == [(None, at(5)), (at(7), at(9)), (at(8), at(11))]


def test_transitions_that_share_an_instance_id_belong_together() -> None:
    events = [
        ("start", 0, "x"), ("start", 1, "y"), ("complete", 2, "y"), ("complete", 9, "x")
    ]  # fmt: skip
    log = EventLog.from_frame(
        frame_of(
            [
                {"case_id": "c1", "activity": "A", "lifecycle": word, "timestamp": at(minute),
                 "instance_id": instance, "position": number}
                for number, (word, minute, instance) in enumerate(events)
            ]
        )
    )  # fmt: skip
    assert paired(log).select("started_at", "completed_at").rows() == [
        (at(1), at(2)),
        (at(0), at(9)),
    ]


def test_time_between_suspend_and_resume_is_no_service() -> None:
    words = [("start", 0), ("suspend", 2), ("resume", 7), ("complete", 10)]
    log = EventLog.from_frame(
        frame_of(
            [
                {"case_id": "c1", "activity": "A", "lifecycle": word, "timestamp": at(minute)}
                for word, minute in words
            ]
        )
    )
    assert paired(log)["service_time"].to_list() == [minutes(5)]
    assert cases(log)["cycle_time"].to_list() == [minutes(10)]


def test_equal_completions_keep_the_order_of_the_source() -> None:
    assert rows({"c1": "B@3-5 A@1-5 C@5"}, "activity") == [("B",), ("A",), ("C",)]


def test_an_empty_log_has_no_instances() -> None:
    log = log_of({})
    assert paired(log).is_empty()
    assert cases(log).is_empty()


def test_a_case_of_nothing_but_a_retry_has_no_instances() -> None:
    log = EventLog.from_frame(
        frame_of([{"case_id": "c1", "activity": "A", "lifecycle": "retry", "timestamp": at(0)}])
    )
    assert paired(log).is_empty()
    assert cases(log)["instances"].to_list() == [0]


events = st.fixed_dictionaries(
    {
        "case_id": st.sampled_from(CASES),
        "activity": st.sampled_from(ACTIVITIES[:2]),
        "lifecycle": st.sampled_from(
            ("start", "start", "start", "complete", "complete", "fail", "timeout", "cancel",
             "skip", "suspend", "resume", "scheduled", "assigned", "retry")
        ),
        "timestamp": st.integers(0, 12).map(at),
        "attempt": st.sampled_from((None, None, None, 1, 2)),
        "resource": st.sampled_from((None, "ann", "bob")),
        "instance_id": st.sampled_from((None, None, None, "x")),
    }
)  # fmt: skip


def _us(times: list[timedelta | None]) -> timedelta | None:
    known = [time for time in times if time is not None]
    return sum(known, timedelta()) if known else None


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(events, min_size=1, max_size=16))
def test_agrees_with_the_definitions_in_plain_python(rows: list[dict[str, Any]]) -> None:
    for position, row in enumerate(rows):
        row["position"] = position
        row["resource_kind"] = {"ann": "human", "bob": "system"}.get(row["resource"])
    log = EventLog.from_frame(frame_of(rows))
    expected, expected_cases = [], []
    for case_id in sorted({row["case_id"] for row in rows}):
        of_case = [row for row in rows if row["case_id"] == case_id]
        found = reference.instances_of(of_case)
        expected += [(case_id, *_expected(instance)) for instance in found]
        instants: list[datetime] = [row["timestamp"] for row in of_case]
        retries = sum(instance.repetition == "retry" for instance in found)
        expected_cases.append(
            (
                case_id,
                len(found),
                retries,
                sum(instance.rework for instance in found),
                sum(instance.status in ("failed", "timed_out") for instance in found),
                _us([instance.service_time for instance in found]),
                reference.active_time(found),
                max(instants) - min(instants),
            )
        )
    assert paired(log).rows() == expected
    assert cases(log).rows() == expected_cases


def _expected(instance: reference.Instance) -> tuple[Any, ...]:
    return (
        instance.number,
        instance.activity,
        instance.at(1),
        instance.at(2),
        instance.at(4),
        instance.status,
        instance.attempt,
        instance.resource,
        instance.next_activity,
        instance.repetition,
        instance.waiting_time,
        instance.service_time,
    )
