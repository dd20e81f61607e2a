"""What is left of the name of a span when what tells runs apart is taken out."""

from __future__ import annotations

import pytest

from ingest.otlp.names import activity_of, workflow_of


@pytest.mark.parametrize(
    ("name", "activity"),
    [
        ("GET /orders/4711", "GET /orders/{id}"),
        ("GET /orders/4/items/7", "GET /orders/{id}/items/{id}"),
        ("GET /search?q=shoes&page=2", "GET /search"),
        ("load 0f8fad5b-d9cb-469f-a165-70867728950e", "load {id}"),
        ("cache:user-5f4dcc3b5aa765d61d8327deb882cf99", "cache:user-{id}"),
        ("report 2026-11-20", "report {time}"),
        ("report 2026-11-20T10:15:30.5Z done", "report {time} done"),
        ("connect 10.0.12.7:5432", "connect {address}"),
        ("ship ORD20481", "ship {id}"),
        ("order_12345_created", "order_{id}_created"),
        ("job #7", "job #{id}"),
    ],
)
def test_ids_times_and_addresses_go(name: str, activity: str) -> None:
    assert activity_of(name) == activity


@pytest.mark.parametrize(
    "name",
    [
        "step 2", "stage-1", "HTTP GET", "POST /api/v1/orders", "RunActivity:chargeCard",
        "deadbeef", "sha256 of the file", "S3.PutObject", "SELECT orders", "decade", "what?",
        "/orders/{orderId}",
    ],
)  # fmt: skip
def test_words_and_steps_stay(name: str) -> None:
    assert activity_of(name) == name


def test_the_activity_of_an_activity_is_itself() -> None:
    for name in ("GET /orders/4711", "report 2026-11-20", "connect 10.0.12.7"):
        assert activity_of(activity_of(name)) == activity_of(name)


@pytest.mark.parametrize(
    ("name", "workflow"),
    [
        ("RunWorkflow:Order", "Order"),
        ("StartWorkflow:Order", "Order"),
        ("StartChildWorkflow:Ship", "Ship"),
        ("create_orchestration:Order", "Order"),
        ("orchestration:Order", "Order"),
        ("dag_run.nightly", "nightly"),
        ("POST /orders/17", "POST /orders/{id}"),
    ],
)
def test_a_span_of_a_workflow_names_it(name: str, workflow: str) -> None:
    assert workflow_of(name) == workflow
