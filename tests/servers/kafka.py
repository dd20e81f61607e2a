"""A real Kafka broker (KRaft, one node), from Maven Central."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.install import answers, apt, free_port, maven, run, running

VERSION = "4.1.1"
READER = ("reader", "s3cret-of-reader")
"""May authenticate; may read only what a test allows."""


@dataclass(frozen=True)
class Kafka:
    """Where the broker listens: for everybody, and for those with a password."""

    brokers: str
    guarded: str


@contextmanager
def serve() -> Iterator[Kafka]:
    """A broker with an empty folder, which is removed afterwards."""
    jars = maven(f"kafka-{VERSION}", f"org.apache.kafka:kafka_2.13:{VERSION}")
    if shutil.which("java") is None:
        apt("openjdk-17-jre-headless")
    plain, guarded, controller = free_port(), free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="kafka-") as name:
        folder = Path(name)
        settings = folder / "server.properties"
        settings.write_text(_settings(plain, guarded, controller, folder), encoding="utf-8")
        (folder / "log4j2.yaml").write_text(_LOGGING, encoding="utf-8")
        java = [
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
            yield Kafka(brokers, f"127.0.0.1:{guarded}")


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


def _settings(plain: int, guarded: int, controller: int, folder: Path) -> str:
    listeners = (
        f"PLAINTEXT://127.0.0.1:{plain},GUARDED://127.0.0.1:{guarded},"
        f"CONTROLLER://127.0.0.1:{controller}"
    )
    user, password = READER
    return f"""\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners={listeners}
advertised.listeners={listeners}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,GUARDED:SASL_PLAINTEXT
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.guarded.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
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
