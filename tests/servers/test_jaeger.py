"""Jaeger's API, new and old, with traces that the OpenTelemetry SDK made."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.load import load
from ingest.source import Known, Secret
from ingest.sources.jaeger import JaegerTraces
from miner.errors import InputError, SourceRefusedError, SourceUnavailableError
from miner.eventlog.store import EventStore
from tests.commands import answer, run
from tests.conftest import ROOT
from tests.ingest.contract import keeps_the_contract
from tests.ingest.local_server import Answer, Request
from tests.ingest.spans import SECOND, START, request, span
from tests.servers import jaeger_all_in_one
from tests.servers.jaeger import Jaeger, serve
from tests.servers.jaeger_all_in_one import RealJaeger
from tests.servers.test_otlp import CONTENT, FAILURES, rows, work
from tests.servers.waiting import LIMIT, until

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("jaeger")]

AT = int(time.time()) - START // SECOND - 7200
"""Two hours ago, in seconds after the start of the spans that tests write themselves."""


@pytest.fixture
def jaeger() -> Iterator[Jaeger]:
    with serve() as server:
        yield server


@pytest.fixture(scope="module")
def real() -> Iterator[RealJaeger]:
    with jaeger_all_in_one.serve() as server:
        yield server


def orders(cases: int, *, service: str = "shop", **about: str) -> list[Any]:
    """Spans of the SDK: of each order a check, and charges until one succeeds."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    resource = Resource.create({"service.name": service, "service.version": "1.0"})
    provider, kept = TracerProvider(resource=resource), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    work(provider.get_tracer("tests"), cases, **about)
    return list(kept.get_finished_spans())


def traces(jaeger: Jaeger | RealJaeger, **options: Any) -> JaegerTraces:
    return JaegerTraces(**{"address": jaeger.address, "settle": 0.0} | options)


def shown(source: JaegerTraces, events: int) -> None:
    """Wait until the server shows what was exported to it."""
    until(lambda: sum(page.events.height for page in source.pages(Known())) >= events)


@pytest.mark.parametrize("api", ["v3", "legacy"])
def test_jaeger_itself_tells_what_was_done(real: RealJaeger, tmp_path: Path, api: str) -> None:
    service = f"shop-{api}"
    real.export(orders(20, service=service))
    shown(traces(real, service=service), 20 * 10)
    loaded = answer(
        tmp_path, "load", "jaeger", "--address", real.address, "--process", "orders", "--service",
        service, "--api", api, "--case", "order.id", "--settle", "0",
    )  # fmt: skip
    assert loaded["new"] == 20 * 2 * (2 + FAILURES + 1)
    holds_the_known_numbers(tmp_path)


@pytest.mark.parametrize("api", ["v3", "legacy"])
def test_windows_in_which_jaeger_itself_has_too_many_traces_are_halved(
    real: RealJaeger, tmp_path: Path, api: str
) -> None:
    made = []
    for _ in range(30):
        made += orders(1, service=f"many-{api}")
        time.sleep(0.003)  # a window is not halved below a millisecond
    real.export(made)
    shown(traces(real, service=f"many-{api}"), 30 * 10)
    source = traces(real, service=f"many-{api}", api=api, limit=7)
    loaded = load(source, EventStore(tmp_path / "store"), process="work")
    assert (loaded.counts.new, loaded.cases) == (30 * 10, 30)
    assert "truncated" not in {each.kind for each in loaded.limitations}


def test_jaeger_itself_is_read_on_from_where_it_stopped(real: RealJaeger, tmp_path: Path) -> None:
    source = traces(real, service="later", case="order.id")
    store = EventStore(tmp_path / "store")
    for known, more in ((0, 4), (4, 3)):
        real.export(orders(more, service="later"))
        shown(source, 10 * (known + more))
        assert load(source, store, process="orders").counts.new == 10 * more
    assert load(source, store, process="orders").counts.new == 0
    assert load(traces(real, service="nobody"), store, process="orders").counts.read == 0


@pytest.mark.parametrize("api", ["v3", "legacy"])
def test_the_server_of_these_tests_answers_as_jaeger_itself_does(
    real: RealJaeger, jaeger: Jaeger, api: str
) -> None:
    made = orders(5, service=f"both-{api}")
    real.export(made)
    jaeger.export(made)
    shown(traces(real, service=f"both-{api}"), 5 * 10)
    one, other = (
        keeps_the_contract(traces(each, service=f"both-{api}", api=api)).sort("event_id")
        for each in (real, jaeger)
    )
    assert {name for name in one.columns if not one[name].equals(other[name])} == set()


def holds_the_known_numbers(folder: Path) -> None:
    """Twenty orders, each with two charges that failed and a third that did not."""
    assert answer(folder, "summary", "orders")["cases"] == 20
    failures = {row["activity"]: row for row in answer(folder, "failures", "orders")}
    charge = failures["charge"]
    assert (charge["attempts"], charge["failed_attempts"], charge["retries"]) == (60, 40, 40)
    assert charge["top_error"] == "ValueError"
    (variant,) = answer(folder, "variants", "orders")
    assert variant["activities"] == ["GET /stock/{id}", "charge", "charge", "charge", "order"]


def fill(jaeger: Jaeger, count: int, *, every: float = 20) -> None:
    """Traces of one span, one after the other."""
    made = [span("work", 1 + i, trace=1 + i, at=AT + i * every, kind=2) for i in range(count)]
    jaeger.add(request(made))


@pytest.mark.parametrize("legacy", [False, True])
def test_the_figures_are_those_of_what_was_done(
    jaeger: Jaeger, tmp_path: Path, legacy: bool
) -> None:
    jaeger.legacy = legacy
    jaeger.export(orders(20))
    loaded = answer(
        tmp_path, "load", "jaeger", "--address", jaeger.address, "--process", "orders",
        "--case", "order.id", "--settle", "0",
    )  # fmt: skip
    assert loaded["new"] == loaded["read"] == 20 * 2 * (2 + FAILURES + 1)
    holds_the_known_numbers(tmp_path)


def test_both_interfaces_give_the_same_events(jaeger: Jaeger) -> None:
    jaeger.export(orders(3))
    new = keeps_the_contract(traces(jaeger, api="v3"))
    old = keeps_the_contract(traces(jaeger, api="legacy"))
    told = ["case_id", "event_id", "activity", "lifecycle", "attempt", "error_type", "resource"]
    assert new.select(told).sort("event_id").equals(old.select(told).sort("event_id"))


def test_reading_goes_on_where_it_stopped(jaeger: Jaeger, tmp_path: Path) -> None:
    store = EventStore(tmp_path / "store")
    source = traces(jaeger, case="order.id")
    jaeger.export(orders(4))
    assert load(source, store, process="orders").counts.new == 4 * 10
    assert load(source, store, process="orders").counts.new == 0
    assert jaeger.server is not None
    asked = len(jaeger.server.requests)
    jaeger.export(orders(3))
    assert load(source, store, process="orders").counts.new == 3 * 10
    assert len(jaeger.server.requests) - asked <= 3
    now = int(time.time()) - START // SECOND
    late = span("print", 99, 1, trace=5, at=now - 60)
    jaeger.add(request([late]))
    assert load(source, store, process="orders").counts.new == 2


def test_windows_with_too_many_traces_are_halved(jaeger: Jaeger, tmp_path: Path) -> None:
    fill(jaeger, 150, every=10)
    store = EventStore(tmp_path / "store")
    loaded = load(traces(jaeger, limit=7), store, process="work")
    assert loaded.counts.new == 300
    assert "truncated" not in {each.kind for each in loaded.limitations}


def test_more_traces_of_a_millisecond_than_it_gives_are_said_to_be_missing(
    jaeger: Jaeger, tmp_path: Path
) -> None:
    fill(jaeger, 20, every=0)
    store = EventStore(tmp_path / "store")
    loaded = load(traces(jaeger, limit=7), store, process="work")
    assert loaded.counts.new == 14
    assert "truncated" in {each.kind for each in loaded.limitations}


def test_a_load_that_is_killed_goes_on_to_the_same_store(jaeger: Jaeger, tmp_path: Path) -> None:
    fill(jaeger, 36)
    answered = 0

    def slowly(_: Request) -> Answer | None:
        nonlocal answered
        answered += 1
        time.sleep(0.01)
        return None

    jaeger.fault = slowly
    # Stored after every second page, so that there is something to go on from.
    program = "import ingest.paging as p; p.MOST_PAGES = 2; from miner.__main__ import main; main()"
    command = [
        sys.executable, "-c", program, "load", "jaeger", "--address", jaeger.address, "--limit",
        "6", "--settle", "0", "--process", "work", "--store", str(tmp_path / "store"),
    ]  # fmt: skip
    environment = {**os.environ, "NO_PROXY": "127.0.0.1"}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while answered < 22:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait(LIMIT)
    assert (tmp_path / "store" / "store.duckdb").exists()
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    undisturbed = EventStore(tmp_path / "undisturbed")
    load(traces(jaeger), undisturbed, process="work")
    assert rows(EventStore(tmp_path / "store"), CONTENT) == rows(undisturbed, CONTENT)


def test_only_the_services_that_are_named_are_asked_for(jaeger: Jaeger) -> None:
    jaeger.add(request([span("work", 1, at=AT)]))
    jaeger.add(request([span("bill", 2, trace=2, at=AT)], service_name="billing"))
    jaeger.add(request([span("/api", 3, trace=3, at=AT)], service_name="jaeger-query"))

    def services(**options: Any) -> set[str]:
        source = traces(jaeger, **options)
        return {name for page in source.pages(Known()) for name in page.events["resource"]}

    assert services() == {"shop", "billing"}
    assert services(service="billing") == {"billing"}
    assert services(service="jaeger-query, shop") == {"jaeger-query", "shop"}


def test_what_spans_hide_is_said(jaeger: Jaeger, tmp_path: Path) -> None:
    made = [
        span("order", 1, at=AT, lasts=9),
        span("early", 2, 1, at=AT - 1),
        span("lost", 3, 77, at=AT),
    ]
    jaeger.add(request(made))
    store = EventStore(tmp_path / "store")
    loaded = load(traces(jaeger), store, process="work")
    assert {(each.kind, each.events) for each in loaded.limitations} >= {
        ("hidden", 1),
        ("clock-skew", 1),
    }


def test_wrong_credentials_are_said_and_not_shown(
    jaeger: Jaeger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jaeger.token = "right"
    jaeger.add(request([span("work", 1, at=AT)]))
    monkeypatch.setenv("PROCESSION_JAEGER_TOKEN", "s3cret-and-wrong")
    result = run(tmp_path, "load", "jaeger", "--address", jaeger.address)
    assert result.exit_code == 4
    assert "401" in result.stderr and "s3cret" not in result.output
    source = traces(jaeger, token=Secret("right"))
    assert sum(page.events.height for page in source.pages(Known())) == 2


@pytest.mark.parametrize(
    "content",
    [b"<html>Log in</html>", b'{"result": {"resourceSpans": [{"scope', b'{"result": {"spans": []}}',
     b'{"result": {"resourceSpans": "none"}}'],
)  # fmt: skip
def test_an_answer_that_is_none_is_an_error_and_read_again_later(
    jaeger: Jaeger, tmp_path: Path, content: bytes
) -> None:
    jaeger.add(request([span("work", 1, at=AT)]))
    store = EventStore(tmp_path / "store")
    source = traces(jaeger)
    jaeger.fault = lambda asked: Answer(content) if asked.path == "/api/v3/traces" else None
    with pytest.raises(SourceRefusedError):
        load(source, store, process="work")
    jaeger.fault = lambda _: None
    assert load(source, store, process="work").counts.new == 2


def test_a_server_that_is_away_is_said_after_some_tries(
    jaeger: Jaeger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.http._wait", lambda _: 0.0)
    jaeger.fault = lambda _: Answer(b"busy", 503)
    with pytest.raises(SourceUnavailableError, match="503"):
        list(traces(jaeger).pages(Known()))


def test_options_that_make_no_sense_are_refused(jaeger: Jaeger, tmp_path: Path) -> None:
    (tmp_path / "saved.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="is a file") as caught:
        list(traces(jaeger, address=str(tmp_path / "saved.json")).pages(Known()))
    assert "procession load otlp" in caught.value.hint
    with pytest.raises(InputError, match="no API"):
        list(traces(jaeger, api="v4").pages(Known()))
    with pytest.raises(InputError, match="above zero"):
        list(traces(jaeger, limit=0).pages(Known()))


def test_the_example_of_the_documentation_runs(
    jaeger: Jaeger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "sources" / "opentelemetry.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (table,) = tomllib.loads(example)["sources"].values()
    text = example.replace(table["address"], jaeger.address)
    (tmp_path / "procession.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    jaeger.export(orders(2))
    result = run(tmp_path, "sync")
    assert result.exit_code == 0, result.output
    (synced,) = json.loads(result.stdout)
    # What started in the last seconds is left for the next round.
    assert synced["process"] == "orders" and synced["new"] in (0, 20)
