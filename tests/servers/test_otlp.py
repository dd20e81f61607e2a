"""The receiver as a process of its own, with the exporters of the OpenTelemetry SDK before it."""

from __future__ import annotations

import gzip
import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from ingest.load import load
from ingest.sources.otlp import OtlpFile
from miner.eventlog.store import EventStore
from tests.commands import answer
from tests.ingest.spans import protobuf, request, span, written
from tests.servers.receiver import Receiver, grpc_exporter, receiving, tracer
from tests.servers.waiting import LIMIT, until

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("otlp")]

CASES, FAILURES = 20, 2


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    with receiving(tmp_path_factory.mktemp("otlp"), "--largest", "1") as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Iterator[None]:
    yield
    client().close()
    client.cache_clear()


@cache
def client() -> httpx.Client:
    """One for all: each would read the certificates of the machine again."""
    return httpx.Client(trust_env=False, timeout=LIMIT)


def post(receiver: Receiver, body: bytes | dict[str, Any], **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"Content-Type": "application/json"} | {
        key.replace("_", "-"): value for key, value in headers.items()
    }
    return client().post(receiver.traces, content=content, headers=given)


@contextmanager
def exporting(receiver: Receiver) -> Iterator[Any]:
    """The method of the service that takes in traces, with bytes as they are."""
    with grpc.insecure_channel(f"127.0.0.1:{receiver.grpc_port}") as channel:
        yield channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")


def work(tracer: Any, cases: int, **about: str) -> None:
    """Orders: each is checked once, and charged until the charge succeeds."""
    from opentelemetry.trace import SpanKind, Status, StatusCode

    for number in range(cases):
        order = {"order.id": f"O-{number}", **about}
        with tracer.start_as_current_span("order", kind=SpanKind.SERVER, attributes=order):
            with tracer.start_as_current_span(f"GET /stock/{1000 + number}"):
                pass
            for attempt in range(FAILURES + 1):
                with tracer.start_as_current_span("charge") as charge:
                    if attempt < FAILURES:
                        charge.record_exception(ValueError("declined"))
                        charge.set_status(Status(StatusCode.ERROR, "declined"))


def rows(store: EventStore, sql: str) -> list[tuple[Any, ...]]:
    with store.read() as connection:
        return connection.sql(sql).fetchall()


CONTENT = """
select
    process, case_id, event_id, activity, instance_id, lifecycle, timestamp, position, attempt,
    resource, error_type, error_message, process_version, attributes::json::varchar
from event
order by event_id
"""


@pytest.mark.parametrize("grpc", [True, False])
def test_what_the_sdk_sends_is_found_in_the_figures(tmp_path: Path, grpc: bool) -> None:
    with receiving(tmp_path, "--process", "orders", "--case", "order.id") as receiver:
        for version in ("1.0", "2.0"):
            with tracer(receiver, "shop", grpc=grpc, version=version) as spans:
                work(spans, CASES) if version == "1.0" else work(spans, 1, **{"order.id": "O-x"})
        assert receiver.end() == 0
    cases = CASES + 1
    summary = answer(tmp_path, "summary", "orders")
    assert summary["cases"] == cases
    assert summary["events"] == cases * 2 * (2 + FAILURES + 1)
    assert summary["failed_cases"] == summary["open_cases"] == 0
    failures = {row["activity"]: row for row in answer(tmp_path, "failures", "orders")}
    assert set(failures) == {"order", "charge", "GET /stock/{id}"}
    charge = failures["charge"]
    assert charge["attempts"] == cases * (FAILURES + 1)
    assert charge["failed_attempts"] == charge["retries"] == cases * FAILURES
    assert charge["recovered"] == cases and charge["top_error"] == "ValueError"
    (variant,) = answer(tmp_path, "variants", "orders")
    assert variant["cases"] == cases
    assert variant["activities"] == ["GET /stock/{id}", "charge", "charge", "charge", "order"]
    assert answer(tmp_path, "summary", "orders", "--version", "2.0")["cases"] == 1
    assert answer(tmp_path, "rejected") == []


def test_an_answer_means_that_nothing_is_lost_when_the_receiver_is_killed(tmp_path: Path) -> None:
    taken: list[int] = []

    def send(receiver: Receiver) -> None:
        number = 0
        while True:
            number += 1
            try:
                sent = post(receiver, request([span("work", number, trace=number)]))
            except httpx.TransportError:
                return
            if sent.status_code == 200:
                taken.append(number)

    with receiving(tmp_path) as receiver:
        sender = threading.Thread(target=send, args=(receiver,))
        sender.start()
        while len(taken) < 40:
            sender.join(0.01)
        receiver.kill()
        sender.join(LIMIT)
    assert not sender.is_alive()
    with receiving(tmp_path) as receiver:
        assert receiver.end() == 0
    store = EventStore(tmp_path / "store")
    found = rows(store, "select case_id, count(*) from event group by case_id order by case_id")
    assert {f"{number:032x}" for number in taken} <= {case_id for case_id, _ in found}
    assert {events for _, events in found} == {2}
    # One request may have been on the disk when its answer was not yet under way.
    assert len(found) <= len(taken) + 1


def test_kills_while_it_loads_leave_the_store_as_if_nothing_had_happened(tmp_path: Path) -> None:
    spans = _orders(80)
    for part in range(4):
        with receiving(tmp_path, "--every", "0.05") as receiver:
            for i in range(part * 80, part * 80 + 80, 8):
                assert post(receiver, request(spans[i : i + 8])).status_code == 200
            receiver.kill()
    with receiving(tmp_path) as receiver:
        assert receiver.end() == 0
    undisturbed = EventStore(tmp_path / "undisturbed")
    load(OtlpFile(written(tmp_path, request(spans))), undisturbed, process="traces")
    disturbed = EventStore(tmp_path / "store")
    assert rows(disturbed, CONTENT) == rows(undisturbed, CONTENT)
    assert answer(tmp_path, "verify")


def _orders(cases: int) -> list[dict[str, Any]]:
    """Four spans per order, in an order in which they may come."""
    made = []
    for case in range(1, cases + 1):
        numbers = [case * 10 + i for i in range(4)]
        made += [
            span("order", numbers[0], trace=case, at=case, lasts=9, kind=2, order_id=f"O-{case}"),
            span("charge", numbers[1], numbers[0], trace=case, at=case + 1, error="no"),
            span("charge", numbers[2], numbers[0], trace=case, at=case + 3),
            span("print", numbers[3], numbers[2], trace=case, at=case + 3.2, lasts=0.1),
        ]
    random.Random(7).shuffle(made)
    return made


def test_spans_that_come_in_any_order_make_what_a_file_of_them_makes(tmp_path: Path) -> None:
    spans = _orders(50)
    options = ("--case", "order.id", "--workflow", "root")
    with receiving(tmp_path, "--every", "0.1", *options) as receiver:
        for i in range(0, len(spans), 5):
            assert post(receiver, request(spans[i : i + 5])).status_code == 200
        assert receiver.end() == 0
    store, other = EventStore(tmp_path / "store"), EventStore(tmp_path / "other")
    source = OtlpFile(written(tmp_path, request(spans)), case="order.id", workflow="root")
    load(source, other, process="traces")
    assert rows(store, CONTENT) == rows(other, CONTENT)
    assert rows(store, "select distinct process from event") == [("order",)]
    (charge,) = [row for row in answer(tmp_path, "failures", "order") if row["retries"]]
    assert (charge["activity"], charge["retries"], charge["failed_attempts"]) == ("charge", 50, 50)


def test_what_is_sent_again_or_loaded_from_a_file_adds_nothing(tmp_path: Path) -> None:
    spans = _orders(5)
    for _ in range(2):
        with receiving(tmp_path) as receiver:
            for _ in range(2):
                assert post(receiver, request(spans)).status_code == 200
            assert receiver.end() == 0
    store = EventStore(tmp_path / "store")
    loaded = load(OtlpFile(written(tmp_path, request(spans))), store, process="traces")
    assert loaded.counts.new == 0 and loaded.counts.duplicate == 40
    assert rows(store, "select count(*) from event") == [(40,)]


def test_a_late_span_finds_the_case_of_its_trace_after_a_restart(tmp_path: Path) -> None:
    first, late = span("order", 1, lasts=9, order_id="O-1"), span("print", 2, 1, at=1)
    for each in (first, late):
        with receiving(tmp_path, "--case", "order.id") as receiver:
            assert post(receiver, request([each])).status_code == 200
            assert receiver.end() == 0
    store = EventStore(tmp_path / "store")
    assert rows(store, "select distinct case_id from event") == [("O-1",)]


def test_spans_that_are_none_are_refused_one_by_one_and_kept_aside(tmp_path: Path) -> None:
    good, bad = span("work", 1), span("work", 2) | {"spanId": "00"}
    timeless = span("work", 3) | {"startTimeUnixNano": "0"}
    with receiving(tmp_path) as receiver:
        told = post(receiver, request([good, bad, timeless]))
        assert told.status_code == 200
        assert told.json() == {
            "partialSuccess": {
                "rejectedSpans": "2",
                "errorMessage": "a span whose trace or span id is missing or zero",
            }
        }
        assert receiver.end() == 0
    assert answer(tmp_path, "summary", "traces")["events"] == 2
    assert len(answer(tmp_path, "rejected")) == 2


def test_requests_that_are_none_are_refused(receiver: Receiver) -> None:
    good = json.dumps(request([span("work", 1)])).encode()
    assert post(receiver, b"{").status_code == 400
    assert post(receiver, b"[]").status_code == 400
    assert post(receiver, b'{"resourceSpans": [{"scopeSpans": 5}]}').status_code == 400
    assert post(receiver, b"\xff", Content_Type="application/x-protobuf").status_code == 400
    assert post(receiver, good, Content_Type="text/plain").status_code == 415
    assert post(receiver, good, Content_Encoding="br").status_code == 415
    assert post(receiver, good, Content_Encoding="gzip").status_code == 400
    assert post(receiver, gzip.compress(good)[:-9], Content_Encoding="gzip").status_code == 400
    assert post(receiver, gzip.compress(good), Content_Encoding="gzip").status_code == 200
    address = receiver.traces.replace("traces", "logs")
    assert client().post(address, content=good).status_code == 404
    assert client().get(receiver.traces).status_code == 405


def test_requests_that_are_too_large_are_refused_unpacked_or_packed(receiver: Receiver) -> None:
    large = json.dumps(request([span("work", 1, text="x" * 2_000_000)])).encode()
    assert post(receiver, large).status_code == 413
    bomb = gzip.compress(b" " * 200_000_000)
    assert len(bomb) < 1_000_000
    assert post(receiver, bomb, Content_Encoding="gzip").status_code == 413
    with exporting(receiver) as export:
        with pytest.raises(grpc.RpcError) as refused:
            export(b"x" * 2_000_000, timeout=LIMIT)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        with pytest.raises(grpc.RpcError) as refused:
            export(b"\xff\xff", timeout=LIMIT)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_more_than_may_wait_is_turned_away_until_there_is_room(tmp_path: Path) -> None:
    from opentelemetry.sdk.trace.export import SpanExportResult

    def batch(number: int) -> dict[str, Any]:
        return request([span("work", number, trace=number, text="x" * 300_000)])

    options = ("--every", "3", "--most-waiting", "1")
    with receiving(tmp_path, *options) as receiver:
        told = [post(receiver, batch(number)).status_code for number in range(1, 6)]
        assert told == [200, 200, 200, 429, 429]
        away = post(receiver, batch(5))
        assert away.headers["Retry-After"] == "2"
        assert away.json()["code"] == 8
        with exporting(receiver) as export, pytest.raises(grpc.RpcError) as refused:
            export(protobuf(batch(5)), timeout=LIMIT)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        told_more = dict(refused.value.trailing_metadata())["grpc-status-details-bin"]
        assert b"google.rpc.RetryInfo" in told_more
        # The SDK takes the same answer over gRPC for a reason to send again.
        large = tracer_spans("x" * 300_000)
        assert grpc_exporter(receiver).export(large) is SpanExportResult.SUCCESS
        assert post(receiver, batch(4)).status_code == 200
        assert receiver.end() == 0
    assert rows(EventStore(tmp_path / "store"), "select count(*) from event") == [(10,)]


def tracer_spans(text: str) -> list[Any]:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    provider, kept = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    with provider.get_tracer("tests").start_as_current_span("work", attributes={"text": text}):
        pass
    return list(kept.get_finished_spans())


def test_while_somebody_else_writes_to_the_store_spans_are_taken_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCESSION_WAIT_SECONDS", "0.1")
    store = EventStore(tmp_path / "store")
    with receiving(tmp_path) as receiver:
        with store.lock(wait=10):
            assert post(receiver, request([span("work", 1)])).status_code == 200
            until(lambda: "stay in the spool" in receiver.log.read_text(encoding="utf-8"))
        assert receiver.end() == 0
    assert rows(store, "select count(*) from event") == [(2,)]


def test_a_port_that_is_taken_is_said(receiver: Receiver, tmp_path: Path) -> None:
    from tests.commands import run

    for option, port in (("--http-port", receiver.http_port), ("--grpc-port", receiver.grpc_port)):
        other = "--grpc-port" if option == "--http-port" else "--http-port"
        result = run(tmp_path, "receive", "otlp", option, str(port), other, "0")
        assert result.exit_code == 2
        assert f"Nothing can listen on 127.0.0.1:{port}" in result.stderr


def test_one_receiver_uses_a_spool(receiver: Receiver) -> None:
    from tests.commands import run

    folder = Path(receiver.store.folder).parent
    result = run(folder, "receive", "otlp", "--grpc-port", "0", "--http-port", "1")
    assert result.exit_code == 2
    assert "Another receiver uses the spool" in result.stderr
