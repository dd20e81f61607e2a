"""A real Kafka broker (KRaft, one node), from Maven Central."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers.certificates import certificate
from tests.servers.install import answers, apt, free_port, maven, run, running

VERSION = "4.1.1"
READER = ("reader", "s3cret-of-reader")
"""May authenticate; may read only what a test allows."""


@dataclass(frozen=True)
class Kafka:
    """Where the broker listens: for everybody, and for those with a password, also over TLS."""

    brokers: str
    guarded: str
    encrypted: str
    certificate: Path


class Cluster:
    """The broker, as somebody who writes to it and administers it sees it."""

    def __init__(self, kafka: Kafka) -> None:
        from confluent_kafka import Producer
        from confluent_kafka.admin import AdminClient

        self.kafka = kafka
        self.admin = AdminClient({"bootstrap.servers": kafka.brokers, "log_level": 0})
        settings = {"bootstrap.servers": kafka.brokers, "log_level": 0}
        self.producer = Producer(settings | {"queue.buffering.max.messages": 1_000_000})

    def topic(self, name: str, partitions: int = 3, **config: str) -> None:
        from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

        wanted = NewTopic(name, partitions, 1, config=config)
        self.admin.create_topics([wanted])[name].result()

    def write(self, topic: str, values: Iterable[dict[str, Any]]) -> None:
        """Records with the order as key."""
        for value in values:
            self.producer.produce(topic, json.dumps(value).encode(), key=value["order"])
            self.producer.poll(0)
        self.producer.flush()

    def put(self, topic: str, value: bytes | None, **more: Any) -> None:
        """One record as it is."""
        self.producer.produce(topic, value, **more)
        self.producer.flush()

    def forget(self, topic: str, before: int) -> None:
        """Delete the records of the first partition before an offset, as retention does."""
        from confluent_kafka import TopicPartition

        wanted = TopicPartition(topic, 0, before)
        self.admin.delete_records([wanted])[wanted].result()


@contextmanager
def serve() -> Iterator[Kafka]:
    """A broker with an empty folder, which is removed afterwards."""
    jars = maven(f"kafka-{VERSION}", f"org.apache.kafka:kafka_2.13:{VERSION}")
    if shutil.which("java") is None:
        apt("openjdk-17-jre-headless")
    plain, guarded, encrypted, controller = (free_port() for _ in range(4))
    with tempfile.TemporaryDirectory(prefix="kafka-") as name:
        folder = Path(name)
        settings = folder / "server.properties"
        made, key = certificate(folder)
        keystore = folder / "keystore.pem"
        keystore.write_text(key.read_text("utf-8") + made.read_text("utf-8"), encoding="utf-8")
        settings.write_text(
            _settings(plain, guarded, encrypted, controller, folder), encoding="utf-8"
        )
        (folder / "log4j2.yaml").write_text(_LOGGING, encoding="utf-8")
        java: list[str | Path] = [
            "java",
            "-Xmx384m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            f"-Dlog4j2.configurationFile={folder / 'log4j2.yaml'}",
            "-cp",
            f"{jars}/*",
        ]
        uuid = "cHJvY2Vzc2lvbi10ZXN0cw"
        storage = ["kafka.tools.StorageTool", "format", "--standalone", "-t", uuid, "-c", settings]
        run([*java, *storage])
        command = [*java, "kafka.Kafka", settings]
        log = folder / "kafka.log"
        brokers = f"127.0.0.1:{plain}"
        with running(command, log=log, cwd=folder, ready=lambda: _answers(brokers, plain)):
            yield Kafka(brokers, f"127.0.0.1:{guarded}", f"127.0.0.1:{encrypted}", made)


def _answers(brokers: str, port: int) -> bool:
    """Whether clients are served, which is later than that the port is open."""
    if not answers(port):
        return False
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    try:
        return bool(AdminClient({"bootstrap.servers": brokers}).list_topics(timeout=5).brokers)
    except KafkaException:
        return False


def _settings(plain: int, guarded: int, encrypted: int, controller: int, folder: Path) -> str:
    listeners = (
        f"PLAINTEXT://127.0.0.1:{plain},GUARDED://127.0.0.1:{guarded},"
        f"ENCRYPTED://127.0.0.1:{encrypted},CONTROLLER://127.0.0.1:{controller}"
    )
    user, password = READER
    login = (
        "org.apache.kafka.common.security.plain.PlainLoginModule required "
        f'user_{user}="{password}";'
    )
    return f"""\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners={listeners}
advertised.listeners={listeners}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,GUARDED:SASL_PLAINTEXT,\
ENCRYPTED:SASL_SSL
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.guarded.plain.sasl.jaas.config={login}
listener.name.encrypted.plain.sasl.jaas.config={login}
ssl.keystore.type=PEM
ssl.keystore.location={folder / "keystore.pem"}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
log.dirs={folder / "data"}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
log.initial.task.delay.ms=100
file.delete.delay.ms=0
"""


_LOGGING = """\
Configuration:
  Appenders:
    Console:
      name: STDOUT
      PatternLayout:
        pattern: "%d %p %m%n"
  Loggers:
    Root:
      level: warn
      AppenderRef:
        - ref: STDOUT
"""
