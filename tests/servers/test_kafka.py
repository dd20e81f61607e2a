"""Apache Kafka, a real broker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingest.load import load
from ingest.mapping import MappingFile
from ingest.source import Known, Secret
from ingest.sources.kafka import KafkaTopics
from miner.errors import SourceRefusedError, SourceUnavailableError
from miner.eventlog.store import EventStore
from miner.settings import settings
from tests.commands import answer, run
from tests.ingest.contract import keeps_the_contract
from tests.servers import schema_registry
from tests.servers.install import free_port
from tests.servers.kafka import READER, Cluster, serve
from tests.servers.order_messages import (
    EVENTS,
    MAPPING,
    cursor_after,
    events_in,
    example_on,
    holds_the_known_numbers,
    killed_while_loading,
    kinds,
    rows,
    told,
)
from tests.servers.schema_registry import LATER, ORDER, PERSON, avro

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("kafka")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with serve() as kafka:
        yield Cluster(kafka)


@pytest.fixture
def mapping(tmp_path: Path) -> MappingFile:
    path = tmp_path / "orders.toml"
    path.write_text(MAPPING, encoding="utf-8")
    return MappingFile(path)


@pytest.fixture
def topic(cluster: Cluster, request: pytest.FixtureRequest) -> str:
    name = request.node.name.replace("_", "-")[-60:].split("[")[0]
    cluster.topic(name)
    return str(name)


@pytest.fixture
def orders(cluster: Cluster, topic: str) -> str:
    """A topic with the first orders."""
    cluster.write(topic, told())
    return topic


@pytest.fixture
def source(cluster: Cluster, orders: str, mapping: MappingFile) -> KafkaTopics:
    return KafkaTopics(cluster.kafka.brokers, orders, mapping, timeout=10)


def test_the_source_keeps_the_contract(source: KafkaTopics) -> None:
    assert keeps_the_contract(source).height == EVENTS


def test_attempts_failures_people_and_versions_are_exactly_those_that_were(
    cluster: Cluster, orders: str, mapping: MappingFile, tmp_path: Path
) -> None:
    command = (
        *("load", "kafka", "--brokers", cluster.kafka.brokers, "--topics", orders),
        *("--mapping", str(mapping), "--process", "orders"),
    )
    assert {**answer(tmp_path, *command), "seconds": 0} == {
        "source": "kafka", "process": "orders", "processes": ["orders"], "read": EVENTS,
        "new": EVENTS, "duplicate": 0, "corrected": 0, "unchanged": 0, "rejected": 0, "cases": 20,
        "seconds": 0, "limitations": [],
    }  # fmt: skip
    holds_the_known_numbers(tmp_path, "orders")
    assert answer(tmp_path, *command)["read"] == 0
    later = list(told(20, 5))
    cluster.write(orders, later)
    found = answer(tmp_path, *command)
    assert (found["read"], found["new"], found["cases"]) == (len(later), len(later), 5)
    assert answer(tmp_path, "summary", "orders")["cases"] == 25


def test_a_load_that_is_killed_and_run_again_holds_the_same(
    cluster: Cluster, topic: str, mapping: MappingFile, tmp_path: Path
) -> None:
    cluster.write(topic, told(0, 500))
    source = KafkaTopics(cluster.kafka.brokers, topic, mapping, page=500)
    calm, killed = EventStore(tmp_path / "calm"), EventStore(tmp_path / "killed")
    load(source, calm, process="orders")
    command = ("kafka", "--brokers", source.brokers, "--topics", topic, "--mapping", str(mapping))
    for after in (2, 5):
        killed_while_loading(
            tmp_path / "killed", after, *command, "--page", "500", "--process", "orders"
        )
    part = load(source, killed, process="orders")
    assert 0 < part.counts.new < events_in(calm, "orders").height
    assert (part.counts.duplicate, part.counts.corrected) == (0, 0)
    assert events_in(killed, "orders").equals(events_in(calm, "orders"))


def test_records_of_aborted_and_open_transactions_are_not_read(
    cluster: Cluster, topic: str, mapping: MappingFile
) -> None:
    from confluent_kafka import Producer

    settings = {"bootstrap.servers": cluster.kafka.brokers, "log_level": 0}
    writer = Producer(settings | {"transactional.id": topic})
    writer.init_transactions()

    def write(order: str) -> None:
        writer.begin_transaction()
        told_of = {"order": order, "step": "A", "at": "2026-01-01T00:00:00Z"}
        writer.produce(topic, json.dumps(told_of).encode(), partition=0)
        writer.flush()

    write("kept")
    writer.commit_transaction()
    write("aborted")
    writer.abort_transaction()
    write("late")
    source = KafkaTopics(cluster.kafka.brokers, topic, mapping)
    assert [row["case_id"] for row in rows(source)] == ["kept"]
    cursor = cursor_after(source)
    assert rows(source, cursor) == []
    writer.commit_transaction()
    assert [row["case_id"] for row in rows(source, cursor)] == ["late"]


def test_what_retention_deleted_before_it_was_read_is_counted(
    cluster: Cluster, mapping: MappingFile
) -> None:
    cluster.topic("forgetful", partitions=1)
    cluster.write("forgetful", told(0, 2))
    source = KafkaTopics(cluster.kafka.brokers, "forgetful", mapping)
    cursor = cursor_after(source)
    assert kinds(source) == {}
    count = sum(1 for _ in told(0, 2))
    cluster.write("forgetful", told(2, 3))
    cluster.forget("forgetful", count + 4)
    assert kinds(source, cursor) == {"retention": 4}
    assert kinds(source) == {"retention": count + 4}
    assert len(rows(source, cursor)) == sum(1 for _ in told(2, 3)) - 4


def test_a_topic_that_was_made_anew_is_read_from_its_beginning_with_other_ids(
    cluster: Cluster, mapping: MappingFile
) -> None:
    cluster.topic("anew", partitions=1)
    cluster.write("anew", told(0, 1))
    source = KafkaTopics(cluster.kafka.brokers, "anew", mapping)
    before, cursor = rows(source), cursor_after(source)
    cluster.admin.delete_topics(["anew"])["anew"].result()
    for _ in range(50):
        if "anew" not in cluster.admin.list_topics(timeout=5).topics:
            break
    cluster.topic("anew", partitions=1)
    cluster.write("anew", told(0, 2))
    after = rows(source, cursor)
    assert len(after) > len(before)
    assert not {row["event_id"] for row in before} & {row["event_id"] for row in after}
    assert list(kinds(source, cursor)) == ["recreated"]


def test_compacted_topics_and_times_of_the_broker_are_named(
    cluster: Cluster, tmp_path: Path
) -> None:
    config = {"cleanup.policy": "compact", "message.timestamp.type": "LogAppendTime"}
    cluster.topic("compacted", **config)
    cluster.write("compacted", told(0, 1))
    path = tmp_path / "by-time.toml"
    path.write_text(MAPPING.replace('"at"', '"timestamp"'), encoding="utf-8")
    source = KafkaTopics(cluster.kafka.brokers, "compacted", MappingFile(path))
    count = sum(1 for _ in told(0, 1))
    assert kinds(source) == {"compaction": None, "append-time": count}


def test_what_cannot_be_decoded_is_kept_with_its_bytes_and_the_rest_loads(
    cluster: Cluster, orders: str, source: KafkaTopics, tmp_path: Path
) -> None:
    cluster.put(orders, None, key="o1")
    cluster.put(orders, b"{broken", key="o2")
    cluster.put(orders, b"\xff\xfe\x00", key="o3")
    loaded = load(source, EventStore(tmp_path / "store"), process="orders")
    assert (loaded.counts.new, loaded.counts.rejected) == (EVENTS, 3)
    rejected = answer(tmp_path, "rejected", "--process", "orders")
    assert {row["reason"]: json.loads(row["record"])["key"] for row in rejected} == {
        "the message has no value (a tombstone)": "o1",
        "the value is no valid JSON": "o2",
        "the value is no UTF-8 text": "o3",
    }
    assert any("//4A" in row["record"] for row in rejected)  # the three bytes
    assert load(source, EventStore(tmp_path / "store"), process="orders").counts.read == 0


def test_reading_begins_and_ends_when_it_is_told_to(cluster: Cluster, mapping: MappingFile) -> None:
    cluster.topic("timed", **{"retention.ms": "-1"})
    for day in range(1, 6):
        at = datetime(2026, 5, day, tzinfo=UTC)
        value = {"order": f"o{day}", "step": "A", "at": at.isoformat()}
        milliseconds = int(at.timestamp() * 1000)
        cluster.put("timed", json.dumps(value).encode(), key=str(day), timestamp=milliseconds)

    def days(**options: Any) -> list[str]:
        source = KafkaTopics(cluster.kafka.brokers, "timed", mapping, **options)
        return sorted(row["case_id"] for row in rows(source))

    assert days(since="2026-05-03") == ["o3", "o4", "o5"]
    assert days(until="2026-05-03T00:00:00+00:00") == ["o1", "o2"]
    assert days(since="2026-05-02", until="2026-05-04") == ["o2", "o3"]


def test_a_right_to_the_topic_alone_is_enough(
    cluster: Cluster, orders: str, mapping: MappingFile
) -> None:
    from confluent_kafka.admin import (  # type: ignore[attr-defined]
        AclBinding,
        AclOperation,
        AclPermissionType,
        ResourcePatternType,
        ResourceType,
    )

    user, password = READER
    options: dict[str, Any] = {"security": "sasl_plaintext", "user": user, "timeout": 10}
    source = KafkaTopics(
        cluster.kafka.guarded, orders, mapping, password=Secret(password), **options
    )
    with pytest.raises(SourceRefusedError, match=r"have no topic|do not let this user read"):
        rows(source)
    rights = [
        AclBinding(
            *(ResourceType.TOPIC, orders, ResourcePatternType.LITERAL, f"User:{user}", "*"),
            *(operation, AclPermissionType.ALLOW),
        )
        for operation in (AclOperation.READ, AclOperation.DESCRIBE)
    ]
    for done in cluster.admin.create_acls(rights).values():
        done.result()
    assert len(rows(source)) == EVENTS
    options["security"] = "sasl_ssl"
    encrypted = cluster.kafka.encrypted, orders, mapping
    trusted = {"authority": str(cluster.kafka.certificate), "password": Secret(password)}
    assert len(rows(KafkaTopics(*encrypted, **options, **trusted))) == EVENTS
    with pytest.raises(SourceRefusedError, match="certificate verify failed"):
        rows(KafkaTopics(*encrypted, password=Secret(password), **options))
    options["security"] = "sasl_plaintext"
    wrong = KafkaTopics(
        cluster.kafka.guarded, orders, mapping, password=Secret("s3cret-wrong"), **options
    )
    with pytest.raises(SourceRefusedError, match=r"refused: .*[Aa]uthentication") as refused:
        rows(wrong)
    assert "s3cret" not in str(refused.value) + repr(wrong)


def test_a_wrong_topic_and_a_broker_that_is_away_end_with_a_sentence(
    cluster: Cluster, orders: str, mapping: MappingFile, tmp_path: Path
) -> None:
    command = ("load", "kafka", "--mapping", str(mapping), "--process", "p", "--timeout", "2")
    typo = run(
        tmp_path,
        *command,
        "--brokers",
        cluster.kafka.brokers,
        "--topics",
        orders.replace("a", "e", 1),
    )
    assert typo.exit_code == 4
    assert f"Did you mean {orders!r}?" in typo.stderr
    away = f"127.0.0.1:{free_port()}"
    gone = run(tmp_path, *command, "--brokers", away, "--topics", orders)
    assert gone.exit_code == 4
    assert away in gone.stderr and "Traceback" not in gone.stderr


def test_the_page_of_the_source_says_how_to_configure_it(
    cluster: Cluster, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = {"order": "o1", "status": "paid", "at": "2026-01-31T10:00:00Z"}
    cluster.put(topic, json.dumps(value).encode())
    text = (Path(__file__).parents[2] / "docs" / "sources" / "kafka.md").read_text("utf-8")
    example = example_on("kafka.md").replace("kafka-1:9092,kafka-2:9092", cluster.kafka.brokers)
    monkeypatch.chdir(tmp_path)
    Path("procession.toml").write_text(
        example.replace('topics = "orders"', f'topics = "{topic}"'), encoding="utf-8"
    )
    Path("orders.toml").write_text(text.split("```toml\n")[2].split("```")[0], encoding="utf-8")
    settings.cache_clear()
    done = run(tmp_path, "sync")
    assert done.exit_code == 0, done.stderr
    assert answer(tmp_path, "summary", "orders")["events"] == 1


def test_avro_is_read_by_the_schema_that_each_value_names(
    cluster: Cluster, topic: str, tmp_path: Path
) -> None:
    from decimal import Decimal

    path = tmp_path / "avro.toml"
    path.write_text(
        'case = "order"\nactivity = "step"\ntimestamp = "at"\nresource = "worker.name"\n'
        '[attributes]\namount = "amount"\n',
        encoding="utf-8",
    )
    at = datetime(2026, 1, 1, 0, 0, 0, 123456, UTC)
    value = {"order": "o1", "step": "B", "at": at, "amount": Decimal("12.30")}
    with schema_registry.serve(("user", "s3cret")) as registry:
        first = registry.register("orders-value", ORDER)
        registry.register("person", PERSON)
        reference = {"name": "Person", "subject": "person", "version": 1}
        second = registry.register("orders-value", LATER, [reference])
        cluster.put(topic, avro(first, value, ORDER), partition=0)
        cluster.put(
            topic, avro(second, value | {"worker": {"name": "ann"}}, PERSON, LATER), partition=0
        )
        cluster.put(topic, avro(99, value, ORDER), partition=0)
        cluster.put(topic, b"{}", partition=0)
        options: dict[str, Any] = {
            "encoding": "avro",
            "registry": registry.address,
            "registry_user": "user",
        }
        source = KafkaTopics(
            cluster.kafka.brokers, topic, MappingFile(path), registry_password=Secret("s3cret"),
            **options,
        )  # fmt: skip
        found = rows(source)
        fetched = list(source.fetch(Known()))
        wrong = KafkaTopics(cluster.kafka.brokers, topic, MappingFile(path), **options)
        with pytest.raises(SourceRefusedError, match="401"):
            rows(wrong)
    events = [row for row in found if row["reason"] is None]
    assert [(row["activity"], row["resource"], row["timestamp"]) for row in events] == [
        ("B", None, at.replace(tzinfo=None)),
        ("B", "ann", at.replace(tzinfo=None)),
    ]
    assert json.loads(events[0]["attributes"]) == {"amount": "12.30"}
    assert sorted(row["reason"] for row in found if row["reason"]) == [
        "the value does not begin with the number of its Avro schema",
        "there is no Avro schema 99, or it cannot be used",
    ]
    # The registry has ended: what was fetched holds the schemas it needs.
    assert sum(source.decode(each.raw).height for each in fetched) == 4


def test_a_registry_that_is_away_is_not_the_fault_of_the_records(
    cluster: Cluster, topic: str, mapping: MappingFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.http.LONGEST_WAIT", 0.01)
    cluster.put(topic, b"\0\0\0\0\1abc")
    away = f"http://127.0.0.1:{free_port()}"
    source = KafkaTopics(cluster.kafka.brokers, topic, mapping, encoding="avro", registry=away)
    with pytest.raises(SourceUnavailableError, match=away):
        rows(source)


def test_cloud_events_are_read_structured_and_binary_and_count_once(
    cluster: Cluster, topic: str, tmp_path: Path
) -> None:
    path = tmp_path / "cloud.toml"
    path.write_text('format = "cloudevents"\n[attributes]\namount = "data.amount"\n', "utf-8")
    attributes = {
        "specversion": "1.0", "source": "/shop", "type": "Paid", "subject": "o1",
        "time": "2026-01-01T10:00:00Z",
    }  # fmt: skip
    structured = attributes | {"id": "1", "data": {"amount": 3}}
    for _ in range(2):  # a writer that tried again
        cluster.put(
            topic,
            json.dumps(structured).encode(),
            headers={"content-type": b"application/cloudevents+json"},
        )
    binary = {f"ce_{name}": text for name, text in (attributes | {"id": "2"}).items()}
    headers = binary | {"content-type": "application/json"}
    cluster.put(topic, b'{"amount": 4}', headers=headers)
    source = KafkaTopics(cluster.kafka.brokers, topic, MappingFile(path))
    loaded = load(source, EventStore(tmp_path / "store"), process="shop")
    assert (loaded.counts.read, loaded.counts.new, loaded.counts.duplicate) == (3, 2, 1)
    found = {row["event_id"]: json.loads(row["attributes"])["amount"] for row in rows(source)}
    assert found == {"/shop#1": 3, "/shop#2": 4}
