"""What spans mean: cases, activities, attempts, endings, and what they could not tell."""

from __future__ import annotations

import json
from datetime import datetime

import polars as pl
import pytest

from ingest.otlp.events import Reading
from ingest.otlp.limits import limitations_in
from tests.ingest.spans import attributes, ends, events, span


def attempts(frame: pl.DataFrame) -> list[tuple[str, int, str]]:
    return frame.select("activity", "attempt", "lifecycle").rows()


def test_a_span_is_an_activity_instance_with_its_start_and_its_end() -> None:
    found = events(span("check", 1, at=0, lasts=2.5), service_version="7")
    assert found.select("lifecycle", "timestamp").rows() == [
        ("start", datetime(2026, 2, 2, 2, 40)),
        ("complete", datetime(2026, 2, 2, 2, 40, 2, 500_000)),
    ]
    assert set(found["instance_id"]) == {f"{1:032x}:{1:016x}"}
    assert found["event_id"].is_unique().all()
    assert set(found["resource"]) == {"shop"} and set(found["resource_kind"]) == {"system"}
    assert set(found["process_version"]) == {"7"}
    assert set(found["case_id"]) == {f"{1:032x}"}


def test_a_span_that_has_not_ended_only_starts() -> None:
    assert events(span("check", 1, lasts=None))["lifecycle"].to_list() == ["start"]


def test_the_attempt_after_a_failed_one_of_the_same_name_is_a_retry() -> None:
    found = ends(
        span("order", 1, at=0, lasts=9, kind=2),
        span("charge", 2, 1, at=1, error="declined"),
        span("charge", 3, 1, at=3, error="declined"),
        span("charge", 4, 1, at=5),
        span("charge", 5, 1, at=7),
    )
    assert attempts(found) == [
        ("charge", 1, "fail"),
        ("charge", 2, "fail"),
        ("charge", 3, "complete"),
        ("charge", 1, "complete"),
        ("order", 1, "complete"),
    ]


def test_siblings_that_overlap_are_no_retries() -> None:
    found = ends(
        span("order", 1, at=0, lasts=9),
        span("charge", 2, 1, at=1, lasts=3, error="declined"),
        span("charge", 3, 1, at=2, lasts=3),
    )
    assert set(found["attempt"]) == {1}


def test_other_items_with_the_same_activity_are_no_retries() -> None:
    found = ends(
        span("order", 1, at=0, lasts=9),
        span("ship 10001", 2, 1, at=1, error="lost"),
        span("ship 10002", 3, 1, at=3),
    )
    assert found.select("activity", "attempt").rows()[:2] == [("ship {id}", 1), ("ship {id}", 1)]


@pytest.mark.parametrize("name", ["attempt", "airflow.task_instance.try_number"])
def test_an_attribute_that_counts_attempts_is_believed(name: str) -> None:
    found = ends(span("charge", 1) | {"attributes": attributes({name: 4})})
    assert found["attempt"].to_list() == [4]


def test_resent_requests_are_attempts_after_the_first() -> None:
    found = ends(span("POST", 1) | {"attributes": attributes({"http.request.resend_count": 2})})
    assert found["attempt"].to_list() == [3]


@pytest.mark.parametrize(
    ("error", "lifecycle"),
    [
        ("java.net.SocketTimeoutException", "timeout"),
        ("DEADLINE_EXCEEDED", "timeout"),
        ("asyncio.CancelledError", "cancel"),
        ("ValueError", "fail"),
    ],
)
def test_how_a_span_failed_says_its_exception(error: str, lifecycle: str) -> None:
    found = ends(span("charge", 1, error="no", exception=(error, "said so")))
    assert found.select("lifecycle", "error_type", "error_message").rows() == [
        (lifecycle, error, "said so")
    ]


def test_an_exception_that_was_handled_is_no_failure() -> None:
    found = ends(span("charge", 1, exception=("ValueError", "handled")))
    assert found.select("lifecycle", "error_type").rows() == [("complete", None)]


def test_without_an_exception_the_code_of_the_protocol_is_the_error() -> None:
    code = attributes({"http.response.status_code": 504})
    found = ends(span("GET", 1, error="") | {"attributes": code})
    assert found.select("lifecycle", "error_type").rows() == [("timeout", "HTTP 504")]


def test_the_case_is_the_trace_or_what_an_attribute_says() -> None:
    spans = [span("order", 1, at=0, lasts=3), span("check", 2, 1, at=1, order_id="O-1")]
    assert set(ends(*spans)["case_id"]) == {f"{1:032x}"}
    assert set(ends(*spans, reading=Reading(case="order.id"))["case_id"]) == {"O-1"}
    assert set(ends(*spans, reading=Reading(case="other, order.id"))["case_id"]) == {"O-1"}


def test_the_case_may_be_an_attribute_of_the_resource() -> None:
    found = ends(span("check", 1), reading=Reading(case="batch.id"), batch_id="B-1")
    assert set(found["case_id"]) == {"B-1"}


def test_traces_that_say_the_same_case_belong_together() -> None:
    found = ends(
        span("ordered", 1, trace=1, correlation_id="C-1"),
        span("shipped", 2, trace=2, at=5, correlation_id="C-1"),
        span("ordered", 3, trace=3, at=7),
    )
    assert found.select("activity", "case_id").rows() == [
        ("ordered", "C-1"),
        ("shipped", "C-1"),
        ("ordered", f"{3:032x}"),
    ]


def test_a_workflow_inside_another_is_a_case_with_a_parent() -> None:
    found = events(
        span("StartWorkflow:Order", 1, at=0, kind=3, temporalWorkflowID="order-1"),
        span("RunWorkflow:Order", 2, 1, at=1, lasts=9, kind=2, temporalWorkflowID="order-1"),
        span("StartChildWorkflow:Ship", 3, 2, at=2, kind=3, temporalWorkflowID="ship-1"),
        span("RunWorkflow:Ship", 4, 3, at=3, lasts=4, kind=2, temporalWorkflowID="ship-1"),
        span("GET /label", 5, 4, at=4),
        reading=Reading(workflow="root"),
    )
    by_case = {
        case: set(rows["activity"]) for (case,), rows in found.group_by("case_id")
    }  # fmt: skip
    assert by_case == {
        "order-1": {"StartWorkflow:Order", "RunWorkflow:Order"},
        "ship-1": {"StartChildWorkflow:Ship", "RunWorkflow:Ship", "GET /label"},
    }
    parents = found.drop_nulls("parent_case_id").select("case_id", "parent_case_id").unique()
    assert parents.rows() == [("ship-1", "order-1")]
    assert dict(found.select("case_id", "process").unique().rows()) == {
        "order-1": "Order",
        "ship-1": "Ship",
    }


@pytest.mark.parametrize(
    ("workflow", "process"), [(None, None), ("root", "nightly"), ("service", "shop"), ("team", "a")]
)
def test_what_tells_processes_apart_is_chosen(workflow: str | None, process: str | None) -> None:
    found = events(
        span("load", 2, 1, at=1), span("dag_run.nightly", 1, lasts=5, team="a"),
        reading=Reading(workflow=workflow),
    )  # fmt: skip
    assert set(found["process"]) == {process}


def statuses(frame: pl.DataFrame) -> set[str]:
    return set(frame["case_status"].drop_nulls())


def test_the_span_that_did_the_work_says_how_the_case_ended() -> None:
    assert statuses(events(span("order", 1, kind=2))) == {"completed"}
    assert statuses(events(span("order", 1, kind=2, error="no"))) == {"failed"}


def test_a_span_that_only_asked_for_work_does_not_say_how_it_ended() -> None:
    asked = span("send", 1, kind=4, lasts=1)
    assert statuses(events(asked)) == set()
    worked = span("receive", 2, 1, at=5, kind=5, error="no")
    assert statuses(events(asked, worked)) == {"failed"}


def test_a_root_that_ended_before_its_work_did_does_not_say_that_it_is_done() -> None:
    assert statuses(events(span("order", 1, lasts=1), span("ship", 2, 1, at=5))) == set()


def test_what_spans_hide_is_said_with_numbers() -> None:
    found = events(
        span("order", 1, at=5, lasts=9),
        span("early", 2, 1, at=4),
        span("lost", 3, 77, at=6),
        span("kept", 4, 1, at=6, sampler_type="probabilistic", sampler_param=0.25),
        span("kept", 5, 1, at=7, state="vendor=1,ot=th:c"),
        span("all", 6, 1, at=7, state="ot=th:0"),
    )
    said = {each.kind: each.events for each in limitations_in(found)}
    assert said == {"hidden": 1, "clock-skew": 1, "sampling": 2}
    early = json.loads(found.filter(pl.col("activity") == "early")["attributes"].drop_nulls()[0])
    assert early["span.skew_us"] == 1_000_000


def test_traces_that_tell_all_have_no_limitations() -> None:
    found = events(span("order", 1, lasts=9), span("check", 2, 1, at=1))
    assert limitations_in(found) == ()
    assert limitations_in(pl.DataFrame()) == ()


def test_attributes_are_kept_as_what_they_are() -> None:
    about = {
        "text": 'a "b"\n',
        "size": 2**53,
        "share": 0.5,
        "yes": True,
        "many": ["a", 1],
        "map": {"k": "v"},
    }
    found = ends(span("GET", 1, kind=3, **about), service_instance_id="i-1")
    kept = json.loads(found["attributes"][0])
    assert {key: kept[key] for key in about} == about
    assert kept["span.kind"] == "client" and kept["service.instance.id"] == "i-1"


def test_a_request_named_after_its_method_is_named_after_its_route() -> None:
    made = span("GET", 1, http_route="/orders/{id}")
    assert ends(made)["activity"].to_list() == ["GET /orders/{id}"]


def test_names_stay_as_they_are_when_that_is_wanted() -> None:
    assert ends(span("GET /orders/4711", 1), reading=Reading(raw_names=True))["activity"][0] == (
        "GET /orders/4711"
    )
    kept = json.loads(ends(span("GET /orders/4711", 1))["attributes"][0])
    assert kept["span.name"] == "GET /orders/4711"


def test_a_span_that_was_sent_twice_counts_once() -> None:
    assert ends(span("check", 1), span("check", 1)).height == 1


def test_the_order_in_which_spans_come_does_not_matter() -> None:
    spans = [
        span("order", 1, at=0, lasts=9, kind=2, correlation_id="C-1"),
        span("charge", 2, 1, at=1, error="no"),
        span("charge", 3, 1, at=3),
        span("ship", 4, 3, at=3.5, lasts=0.1),
    ]
    reading = Reading(workflow="root")
    assert events(*spans, reading=reading).equals(events(*reversed(spans), reading=reading))


def test_spans_above_each_other_in_a_circle_are_no_trap() -> None:
    found = ends(span("a", 1, 2), span("b", 2, 1), span("c", 3, 3))
    assert sorted(found["activity"]) == ["a", "b", "c"]


def test_no_spans_give_no_events() -> None:
    assert events().height == 0
