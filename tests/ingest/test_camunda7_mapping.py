"""Camunda 7: what rows of its history mean."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import polars as pl
import pytest

from ingest.camunda7.mapping import events_of
from ingest.camunda7.rows import part
from miner.errors import SourceRefusedError


def at(seconds: float) -> str:
    return f"2026-03-02T08:00:{seconds:06.3f}+0000"


def instance(case: str = "c1", **more: Any) -> dict[str, Any]:
    known = {"id": case, "processDefinitionId": "order:3:d", "processDefinitionKey": "order"}
    return known | {"startTime": at(0), "state": "ACTIVE"} | more


def activity(name: str, kind: str, start: float, end: float | None, **more: Any) -> dict[str, Any]:
    row = {"id": f"{name}:1", "activityId": name, "activityName": name.title(), "canceled": False}
    row |= {"activityType": kind, "processInstanceId": "c1", "executionId": "e", "taskId": None}
    row |= {"startTime": at(start), "endTime": None if end is None else at(end)}
    return row | more


def job(state: str, seconds: float, *, failed: str | None = None, **more: Any) -> dict[str, Any]:
    row = {"id": f"{state}{seconds}", "timestamp": at(seconds), "jobId": "j", "activityId": "pay"}
    row |= {"processInstanceId": "c1", "executionId": "e", "failedActivityId": failed}
    row |= {"jobDefinitionConfiguration": "async-before", "processDefinitionId": "order:3:d"}
    return row | {f"{state}Log": True} | more


def events(*parts: bytes, gateways: bool = False) -> pl.DataFrame:
    return events_of(b"".join(parts), gateways=gateways)


def told(found: pl.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    return found.select("activity", "lifecycle", *columns).rows()


def test_no_lines_give_no_events() -> None:
    assert events().is_empty()


def test_what_a_failed_job_tried_is_told_by_its_log_and_joined_to_what_succeeded() -> None:
    found = events(
        part("instance", [instance()]),
        part("activity", [activity("pay", "serviceTask", 5, 6)]),
        part("job-log", [
            job("creation", 1),
            job("failure", 2, failed="pay", jobExceptionMessage="no", exception="a.b.Error: no"),
            job("failure", 3, failed="pay", jobExceptionMessage="no", exception=None),
            job("success", 6.5),
        ]),
    )  # fmt: skip
    assert told(found, "instance_id", "attempt", "error_type") == [
        ("Pay", "scheduled", "job:j:pay#1", 1, None),
        ("Pay", "fail", "job:j:pay#1", 1, "a.b.Error"),
        ("Pay", "fail", "job:j:pay#2", 2, None),
        ("Pay", "start", "job:j:pay#3", 3, None),
        ("Pay", "complete", "job:j:pay#3", 3, None),
    ]


def test_a_failure_belongs_to_the_activity_that_failed_not_to_where_the_job_began() -> None:
    found = events(
        part("instance", [instance()]),
        part("activity", [
            activity("pay", "serviceTask", 5, 5.1), activity("ship", "serviceTask", 5.1, 5.2),
        ]),
        part("job-log", [job("creation", 1), job("failure", 2, failed="ship"), job("success", 6)]),
    )  # fmt: skip
    assert told(found, "attempt") == [
        ("Pay", "scheduled", 1),
        ("Ship", "fail", 1),
        ("Pay", "start", 1),
        ("Pay", "complete", 1),
        ("Ship", "start", 2),
        ("Ship", "complete", 2),
    ]


def test_a_gateway_shows_only_where_deciding_failed_or_gateways_are_wanted() -> None:
    lines = (
        part("instance", [instance()]),
        part("activity", [
            activity("amount", "exclusiveGateway", 4, 4), activity("big", "exclusiveGateway", 5, 5),
        ]),
        part("job-log", [job("creation", 1, activityId="amount"),
                         job("failure", 2, activityId="amount", failed="amount"),
                         job("success", 6, activityId="amount")]),
    )  # fmt: skip
    assert told(events(*lines)) == [
        ("Amount", "scheduled"), ("Amount", "fail"), ("Amount", "start"), ("Amount", "complete"),
    ]  # fmt: skip
    assert Counter(events(*lines, gateways=True)["activity"]) == {"Amount": 4, "Big": 2}


def test_a_job_that_is_deleted_before_it_ran_was_cancelled() -> None:
    found = events(
        part("instance", [instance(state="EXTERNALLY_TERMINATED", endTime=at(9))]),
        part("job-log", [job("creation", 1), job("deletion", 9)]),
        part("element", [{"processDefinitionId": "order:3:d", "activityId": "pay",
                          "name": "Pay\n  now", "type": "serviceTask"}]),
    )  # fmt: skip
    assert told(found, "case_status", "process_version") == [
        ("Pay now", "scheduled", "cancelled", "3"),
        ("Pay now", "cancel", "cancelled", "3"),
    ]


def test_the_job_of_a_sub_process_is_no_activity() -> None:
    model = {"processDefinitionId": "order:3:d", "activityId": "pay", "type": "subProcess"}
    assert events(
        part("instance", [instance()]), part("job-log", [job("creation", 1)]),
        part("element", [model]),
    ).is_empty()  # fmt: skip


def test_a_claim_begins_the_work_and_other_assignments_do_not() -> None:
    link = {"type": "assignee", "operationType": "add", "taskId": "t"}
    found = events(
        part("instance", [instance()]),
        part("activity", [activity("ask", "userTask", 1, 9, taskId="t", assignee="cy")]),
        part("identity-link-log", [
            link | {"id": "l1", "time": at(1), "userId": "ann", "assignerId": "ann"},
            link | {"id": "l2", "time": at(2), "userId": "bob", "assignerId": "ann"},
            link | {"id": "l3", "time": at(3), "userId": "cy", "assignerId": "cy"},
            link | {"id": "l4", "time": at(4), "userId": "cy", "operationType": "delete"},
            link | {"id": "l5", "time": at(5), "userId": "ann", "assignerId": "ann"},
        ]),
        part("user-operation", [
            {"id": "o", "processInstanceId": "c1", "taskId": "t", "userId": "eve",
             "timestamp": at(9), "operationId": "o", "operationType": "Complete"},
        ]),
    )  # fmt: skip
    assert told(found, "resource", "resource_kind") == [
        ("Ask", "scheduled", None, None),
        ("Ask", "assigned", "ann", "human"),
        ("Ask", "assigned", "bob", "human"),
        ("Ask", "start", "cy", "human"),
        ("Ask", "assigned", "ann", "human"),
        ("Ask", "complete", "eve", "human"),
    ]


def test_an_incident_that_no_log_explains_is_a_failure_and_its_echo_in_a_parent_is_none() -> None:
    row = {"processInstanceId": "c1", "createTime": at(3), "activityId": "pay"}
    row |= {"incidentType": "failedJob", "incidentMessage": "no"}
    found = events(
        part("instance", [instance()]),
        part("incident", [
            row | {"id": "i", "causeIncidentId": "i", "historyConfiguration": "gone"},
            row | {"id": "k", "causeIncidentId": "other"},
        ]),
    )  # fmt: skip
    assert told(found, "error_type", "attempt") == [("pay", "fail", "failedJob", None)]


def test_setting_retries_to_none_is_no_retry() -> None:
    row = {"processInstanceId": "c1", "jobId": "j", "userId": "ann", "timestamp": at(4)}
    row |= {"operationType": "SetJobRetries", "property": "retries"}
    found = events(
        part("instance", [instance()]),
        part("job-log", [job("creation", 1), job("failure", 2, failed="ship")]),
        part("user-operation", [
            row | {"id": "a", "operationId": "a", "newValue": "0"},
            row | {"id": "b", "operationId": "b", "newValue": "3"},
        ]),
    )  # fmt: skip
    assert found.filter(pl.col("lifecycle") == "retry").select("event_id", "activity").rows() == [
        ("b:retry", "ship")
    ]


def test_a_row_that_cannot_be_used_goes_to_quarantine_and_the_others_do_not() -> None:
    found = events(
        part("instance", [instance()]),
        part("activity", [
            activity("pay", "serviceTask", 1, 2),
            activity("late", "serviceTask", 1, 2) | {"endTime": "yesterday"},
            activity("lost", "serviceTask", 1, 2) | {"activityType": None},
        ]),
    )  # fmt: skip
    assert found["activity"].drop_nulls().to_list() == ["Pay", "Pay"]
    bad = found.filter(pl.col("reason").is_not_null())
    assert bad["reason"].to_list() == [
        "endTime is no time: yesterday",
        "activity without activityType",
    ]
    assert [json.loads(text)["activityId"] for text in bad["record"]] == ["late", "lost"]


@pytest.mark.parametrize(
    "raw",
    [
        b"<html>sign in</html>",
        b'{"kind": "activity", "bytes": 5}\n{"a":',
        b'{"kind": "weather", "bytes": 0}\n',
        part("activity", [{"id": "1", "startTime": 12}]),
        part("activity", [{"id": "a", "state": "x"}, {"id": "b"}]),
    ],
)
def test_what_is_no_history_is_refused(raw: bytes) -> None:
    with pytest.raises(SourceRefusedError):
        events_of(raw)
