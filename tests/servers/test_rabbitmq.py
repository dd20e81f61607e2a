"""RabbitMQ, a real broker."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.load import load
from ingest.mapping import MappingFile
from ingest.source import Known, Secret
from ingest.sources.rabbitmq import RabbitQueue
from miner.errors import InputError, SourceRefusedError, SourceUnavailableError
from miner.eventlog.store import EventStore
from miner.settings import settings
from tests.commands import answer, run
from tests.ingest.contract import keeps_the_contract
from tests.servers.install import free_port
from tests.servers.order_messages import (
    EVENTS,
    MAPPING,
    events_in,
    example_on,
    holds_the_known_numbers,
    killed_while_loading,
    kinds,
    told,
)
from tests.servers.rabbitmq import Broker, serve
from tests.servers.waiting import until

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("rabbitmq")]

GUEST = Secret("guest")


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with serve() as rabbit:
        found = Broker(rabbit)
        yield found
        found.connection.close()


@pytest.fixture
def mapping(tmp_path: Path) -> MappingFile:
    path = tmp_path / "orders.toml"
    path.write_text(MAPPING, encoding="utf-8")
    return MappingFile(path)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return str(request.node.name).split("[")[0]


@pytest.fixture
def stream(broker: Broker, name: str, mapping: MappingFile) -> RabbitQueue:
    """A stream with the first orders."""
    broker.queue(name, x_queue_type="stream")
    broker.write(name, told())
    return RabbitQueue(broker.rabbit.address, mapping, stream=name, password=GUEST)


@pytest.fixture
def queue(broker: Broker, name: str, mapping: MappingFile) -> RabbitQueue:
    """A queue with the first orders."""
    broker.queue(name)
    broker.write(name, told())
    return RabbitQueue(broker.rabbit.address, mapping, queue=name, password=GUEST)


def test_a_stream_keeps_the_contract(stream: RabbitQueue) -> None:
    assert keeps_the_contract(stream).height == EVENTS


def test_looking_at_a_queue_without_storing_takes_nothing(
    broker: Broker, queue: RabbitQueue, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert keeps_the_contract(queue).height == EVENTS
    monkeypatch.setenv("PROCESSION_RABBITMQ_PASSWORD", "guest")
    command = ("--address", queue.address, "--queue", name, "--mapping", str(queue.mapping))
    shown = answer(tmp_path, "load", "rabbitmq", *command, "--dry-run")
    assert [row["case_id"] for row in shown[:2]] == ["o0", "o0"]
    until(lambda: broker.waiting(name) == EVENTS)


@pytest.mark.parametrize("kind", ["classic", "quorum", "stream"])
def test_attempts_failures_people_and_versions_are_exactly_those_that_were(
    broker: Broker, kind: str, mapping: MappingFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"orders-{kind}"
    broker.queue(name, x_queue_type=kind)
    broker.write(name, told())
    monkeypatch.setenv("PROCESSION_RABBITMQ_PASSWORD", "guest")
    command = (
        *("load", "rabbitmq", "--address", broker.rabbit.address, "--mapping", str(mapping)),
        *("--stream" if kind == "stream" else "--queue", name, "--process", "orders"),
    )
    found = answer(tmp_path, *command)
    assert (found["read"], found["new"], found["rejected"], found["cases"]) == (
        EVENTS,
        EVENTS,
        0,
        20,
    )
    assert found["limitations"] == []
    holds_the_known_numbers(tmp_path, "orders")
    assert answer(tmp_path, *command)["read"] == 0
    if kind != "stream":
        assert broker.waiting(name) == 0
    later = list(told(20, 5))
    broker.write(name, later)
    found = answer(tmp_path, *command)
    assert (found["read"], found["new"], found["cases"]) == (len(later), len(later), 5)
    assert answer(tmp_path, "summary", "orders")["cases"] == 25


@pytest.mark.parametrize("kind", ["queue", "stream"])
def test_a_load_that_is_killed_and_run_again_holds_the_same(
    broker: Broker, kind: str, mapping: MappingFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, calm_name = f"killed-{kind}", f"calm-{kind}"
    more = {"x_queue_type": "stream"} if kind == "stream" else {}
    for each in (name, calm_name):
        broker.queue(each, **more)
        broker.write(each, told(0, 400))
    monkeypatch.setattr("ingest.rabbitmq.reading.PAGE", 300)
    options: dict[str, Any] = {
        "address": broker.rabbit.address,
        "mapping": mapping,
        "password": GUEST,
    }
    calm, killed = EventStore(tmp_path / "calm"), EventStore(tmp_path / "killed")
    load(RabbitQueue(**options, **{kind: calm_name}), calm, process="orders")
    monkeypatch.setenv("PROCESSION_RABBITMQ_PASSWORD", "guest")
    command = (
        *("rabbitmq", "--address", broker.rabbit.address, "--mapping", str(mapping)),
        *(f"--{kind}", name, "--process", "orders"),
    )
    killed_while_loading(tmp_path / "killed", 4, *command)
    part = load(RabbitQueue(**options, **{kind: name}), killed, process="orders")
    # What was stored and not acknowledged is delivered again, and known.
    assert part.counts.new < events_in(calm, "orders").height
    assert part.counts.corrected == 0
    assert events_in(killed, "orders").equals(events_in(calm, "orders"))


def test_what_is_delivered_again_counts_once_with_an_id_and_without(
    broker: Broker, name: str, mapping: MappingFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.queue(name, x_queue_type="quorum")
    for number, value in enumerate(told()):
        identity = {"message_id": str(number)} if number % 2 else {}
        broker.put(name, json.dumps(value).encode(), **identity)
    source = RabbitQueue(broker.rabbit.address, mapping, queue=name, password=GUEST)
    store = EventStore(tmp_path / "store")
    with monkeypatch.context() as patch:
        # As if the connection were lost when all is stored and nothing acknowledged yet.
        patch.setattr("ingest.paging._Load._acknowledge", lambda *_: None)
        first = load(source, store, process="orders")
    until(lambda: broker.waiting(name) == EVENTS)
    again = load(source, store, process="orders")
    assert (first.counts.new, again.counts.new, again.counts.duplicate) == (EVENTS, 0, EVENTS)
    assert broker.waiting(name) == 0
    assert [(each.kind, each.events) for each in first.limitations] == [("no-message-id", 75)]


EXCHANGES = ("work", "refused", "done")
ATTEMPT = """coalesce(headers.attempt::int,
    coalesce(headers.died_rejected::int, 0) + case topic when 'work' then 1 else 0 end)"""
DEAD_LETTERS = f"""\
case = "order"
activity = "'Charge'"
timestamp = "coalesce(headers.died_at, timestamp)"
lifecycle = "case topic when 'refused' then 'fail' when 'done' then 'complete' else 'start' end"
attempt = '''{ATTEMPT}'''
position = '''2 * {ATTEMPT} + case topic when 'work' then 0 else 1 end'''
error_type = "case when topic = 'refused' then 'Rejected' end"
"""


def test_dead_letters_are_the_attempts_that_failed(
    broker: Broker, name: str, tmp_path: Path
) -> None:
    channel = broker.channel
    for exchange in EXCHANGES:
        channel.exchange_declare(exchange, "fanout", durable=True)
    broker.queue("work", x_dead_letter_exchange="refused")
    broker.queue("later", x_dead_letter_exchange="work", x_message_ttl=50)
    channel.queue_bind("work", "work")
    channel.queue_bind("later", "refused")
    path = tmp_path / "dead.toml"
    path.write_text(DEAD_LETTERS, encoding="utf-8")
    options: dict[str, Any] = {
        "address": broker.rabbit.address,
        "mapping": MappingFile(path),
        "password": GUEST,
    }
    store = EventStore(tmp_path / "store")
    for exchange in EXCHANGES:
        source = RabbitQueue(**options, queue=f"{name}-{exchange}", exchange=exchange)
        load(source, store, process="dead")  # binds it
    now = int(time.time())
    for order in range(3):
        about: dict[str, Any] = {"message_id": f"m{order}", "timestamp": now}
        broker.put("", json.dumps({"order": f"o{order}"}).encode(), "work", **about)
    done = 0
    while done < 3:
        method, properties, body = channel.basic_get("work")
        if method is None:
            time.sleep(0.02)
            continue
        deaths = (properties.headers or {}).get("x-death", [])
        died = sum(each["count"] for each in deaths if each["reason"] == "rejected")
        if died < (2 if json.loads(body)["order"] == "o0" else 1):
            channel.basic_reject(method.delivery_tag, requeue=False)
        else:
            about = {"message_id": f"{properties.message_id}-done", "timestamp": now + 60}
            broker.put("", body, "done", headers={"attempt": died + 1}, **about)
            channel.basic_ack(method.delivery_tag)
            done += 1
    found = {exchange: f"{name}-{exchange}" for exchange in EXCHANGES}
    expected = {"work": 7, "refused": 4, "done": 3}
    until(lambda: {each: broker.waiting(queue) for each, queue in found.items()} == expected)
    for exchange in EXCHANGES:
        source = RabbitQueue(**options, queue=f"{name}-{exchange}", exchange=exchange)
        loaded = load(source, store, process="dead")
        assert sorted(each.kind for each in loaded.limitations) == ["retention", "whole-seconds"]
    (row,) = answer(tmp_path, "failures", "dead")
    columns = ("attempts", "failed_attempts", "retries", "recovered", "top_error")
    assert tuple(row[each] for each in columns) == (7, 4, 4, 3, "Rejected")


def test_a_connection_that_is_lost_keeps_what_was_read_and_gets_the_rest_again(
    broker: Broker, queue: RabbitQueue, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name_of_limit in ("rabbitmq.reading.PAGE", "rabbitmq.reading.HELD", "paging.PAGE_EVENTS"):
        monkeypatch.setattr(f"ingest.{name_of_limit}", 50)
    decode = RabbitQueue.decode

    def lost_after_the_first(source: RabbitQueue, raw: bytes) -> Any:
        until(lambda: broker.hang_up() > 0)
        return decode(source, raw)

    store = EventStore(tmp_path / "store")
    with monkeypatch.context() as patch:
        patch.setattr(RabbitQueue, "decode", lost_after_the_first)
        with pytest.raises(SourceUnavailableError, match="cannot be reached"):
            load(queue, store, process="orders")
    until(lambda: broker.waiting(name) == EVENTS)
    kept = answer(tmp_path, "summary", "orders")["events"]
    again = load(queue, store, process="orders")
    assert (kept, again.counts.duplicate, again.counts.new) == (50, 50, EVENTS - 50)
    holds_the_known_numbers(tmp_path, "orders")


def test_what_is_no_json_is_kept_and_the_rest_loads(
    broker: Broker, queue: RabbitQueue, name: str, tmp_path: Path
) -> None:
    broker.put(name, b"{broken", message_id="bad")
    broker.put(name, b"\xff\xfe\x00", message_id="worse")
    loaded = load(queue, EventStore(tmp_path / "store"), process="orders")
    assert (loaded.counts.new, loaded.counts.rejected) == (EVENTS, 2)
    rejected = answer(tmp_path, "rejected", "--process", "orders")
    assert {row["reason"] for row in rejected} == {
        "the value is no valid JSON",
        "the value is no UTF-8 text",
    }
    assert any("//4A" in row["record"] for row in rejected)  # the three bytes
    assert broker.waiting(name) == 0


def test_a_queue_that_others_read_is_left_alone(
    broker: Broker, queue: RabbitQueue, name: str
) -> None:
    tag = broker.channel.basic_consume(name, lambda *_: None)
    with pytest.raises(SourceRefusedError, match="being read by others"):
        list(queue.pages(Known()))
    broker.channel.basic_cancel(tag)


def test_what_a_stream_deleted_before_it_was_read_is_counted(
    broker: Broker, name: str, mapping: MappingFile
) -> None:
    broker.queue(
        name, x_queue_type="stream", x_max_length_bytes=2_000, x_stream_max_segment_size_bytes=500
    )
    source = RabbitQueue(broker.rabbit.address, mapping, stream=name, password=GUEST)
    broker.write(name, told(0, 1))
    cursor = list(source.pages(Known()))[-1].cursor
    broker.write(name, told(1, 60))
    until(lambda: "retention" in kinds(source, cursor))
    events = sum(page.events.height for page in source.pages(Known(cursor)))
    lost = kinds(source, cursor)["retention"]
    written = sum(1 for _ in told(1, 60))
    assert events < written <= events + (lost or 0)


def test_a_stream_that_was_made_anew_is_read_from_its_beginning(
    broker: Broker, stream: RabbitQueue, name: str
) -> None:
    cursor = list(stream.pages(Known()))[-1].cursor
    broker.channel.queue_delete(name)
    broker.queue(name, x_queue_type="stream")
    broker.write(name, told(0, 1))
    pages = list(stream.pages(Known(cursor)))
    assert sum(page.events.height for page in pages) == sum(1 for _ in told(0, 1))
    assert [each.kind for page in pages for each in page.limitations] == ["recreated"]


def test_wrong_names_rights_passwords_and_addresses_end_with_a_sentence(
    broker: Broker, queue: RabbitQueue, name: str, mapping: MappingFile, tmp_path: Path
) -> None:
    def refusal(**options: Any) -> str:
        given = {"address": broker.rabbit.address, "mapping": mapping, "password": GUEST}
        with pytest.raises(SourceRefusedError) as refused:
            list(RabbitQueue(**(given | options)).pages(Known()))
        return str(refused.value)

    assert "has no queue 'none'" in refusal(queue="none")
    assert "has no stream 'none'" in refusal(stream="none")
    assert "has no exchange 'none'" in refusal(queue="own", exchange="none")
    wrong = refusal(queue=name, password=Secret("s3cret"))
    assert "does not know user 'guest'" in wrong and "s3cret" not in wrong
    assert "virtual host 'none'" in refusal(queue=name, address=f"{broker.rabbit.address}/none")
    broker.manage("PUT", "users/reader", {"password": "r3ad", "tags": ""})
    rights = {"configure": "^$", "write": "^$", "read": "^other$"}
    broker.manage("PUT", "permissions/%2F/reader", rights)
    reader: dict[str, Any] = {"user": "reader", "password": Secret("r3ad"), "queue": name}
    assert "does not let user 'reader' read" in refusal(**reader)
    broker.manage("PUT", "permissions/%2F/reader", rights | {"read": f"^{name}$"})
    source = RabbitQueue(broker.rabbit.address, mapping, **reader)
    assert sum(page.events.height for page in source.pages(Known())) == EVENTS
    away = run(
        tmp_path, "load", "rabbitmq", "--address", f"amqp://127.0.0.1:{free_port()}",
        "--queue", "q", "--mapping", str(mapping), "--timeout", "1",
    )  # fmt: skip
    assert away.exit_code == 4 and "cannot be reached" in away.stderr


def test_an_encrypted_connection_trusts_only_who_it_should(
    broker: Broker, queue: RabbitQueue, name: str, mapping: MappingFile
) -> None:
    options: dict[str, Any] = {"queue": name, "password": GUEST}
    authority = str(broker.rabbit.certificate)
    encrypted = broker.rabbit.encrypted, mapping
    source = RabbitQueue(*encrypted, authority=authority, **options)
    assert sum(page.events.height for page in source.pages(Known())) == EVENTS
    with pytest.raises(SourceRefusedError, match="certificate"):
        list(RabbitQueue(*encrypted, **options).pages(Known()))
    with pytest.raises(InputError, match=r"none\.pem"):
        list(RabbitQueue(*encrypted, authority="none.pem", **options).pages(Known()))


def test_a_password_in_the_address_is_refused_and_not_repeated(mapping: MappingFile) -> None:
    with pytest.raises(InputError, match="PASSWORD") as refused:
        RabbitQueue("amqp://guest:s3cret@127.0.0.1:5672", mapping, queue="q")
    assert "s3cret" not in str(refused.value)


def test_the_page_of_the_source_says_how_to_configure_it(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (Path(__file__).parents[2] / "docs" / "sources" / "rabbitmq.md").read_text("utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROCESSION_ORDERS_PASSWORD", "r1ght")
    broker.channel.exchange_declare("orders", "topic", durable=True)
    broker.manage("PUT", "users/procession", {"password": "r1ght", "tags": ""})
    own = "^procession-orders$"
    rights = {"configure": own, "write": own, "read": "^(procession-orders|orders)$"}
    broker.manage("PUT", "permissions/%2F/procession", rights)
    example = example_on("rabbitmq.md").replace("amqp://rabbit:5672", broker.rabbit.address)
    Path("procession.toml").write_text(example, encoding="utf-8")
    Path("orders.toml").write_text(text.split("```toml\n")[2].split("```")[0], encoding="utf-8")
    settings.cache_clear()
    assert run(tmp_path, "sync").exit_code == 0  # binds the queue
    value = {"order": "o1", "status": "paid", "at": "2026-01-31T10:00:00Z"}
    broker.put("order.paid", json.dumps(value).encode(), "orders")
    done = run(tmp_path, "sync")
    assert done.exit_code == 0, done.stderr
    assert answer(tmp_path, "summary", "orders")["events"] == 1
