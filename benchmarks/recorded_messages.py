"""Messages of Kafka and RabbitMQ as they are recorded."""

from __future__ import annotations

import json
import struct
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from benchmarks.decoding import Recorded

MAPPING = """\
case = "order"
activity = "step"
timestamp = "at"
lifecycle = "phase"
attempt = "attempt"
resource = "worker"
resource_kind = "case when worker = 'ann' then 'human' else 'system' end"
process_version = "release"

[attributes]
amount = "amount"
"""
STEPS = ("Create", "Charge", "Pack", "Ship")
FIELDS = ("order", "step", "phase", "at", "worker", "release")
SCHEMA = {
    "type": "record",
    "name": "Order",
    "fields": [
        *({"name": name, "type": "string"} for name in FIELDS),
        {"name": "attempt", "type": "int"},
        {"name": "amount", "type": "double"},
    ],
}


def kafka(events: int) -> Recorded:
    """JSON values in a topic."""
    from ingest.messages import message_line
    from ingest.sources.kafka import KafkaTopics

    raw = b"".join(
        message_line(_fields(i, value), json.dumps(value).encode())
        for i, value in enumerate(_told(events))
    )
    return Recorded(raw, KafkaTopics("", "", _mapping()).decode)


def kafka_avro(events: int) -> Recorded:
    """Avro values in a topic, in Confluent's wire format."""
    import fastavro

    from ingest.messages import message_line, schema_line
    from ingest.sources.kafka import KafkaTopics

    schema = fastavro.parse_schema(SCHEMA)

    def written(value: dict[str, Any]) -> bytes:
        body = BytesIO()
        fastavro.schemaless_writer(body, schema, value)
        return b"\0" + struct.pack(">I", 1) + body.getvalue()

    raw = schema_line(1, [json.dumps(SCHEMA)]) + b"".join(
        message_line(_fields(i, value), written(value), binary=True)
        for i, value in enumerate(_told(events))
    )
    return Recorded(raw, KafkaTopics("", "", _mapping(), encoding="avro").decode)


def rabbitmq(events: int) -> Recorded:
    """JSON bodies in a queue."""
    from pika import BasicProperties
    from pika.spec import Basic

    from ingest.rabbitmq.lines import line_of
    from ingest.sources.rabbitmq import RabbitQueue

    method = Basic.Deliver(exchange="orders", routing_key="order.changed")
    raw = b"".join(
        line_of(
            method,
            BasicProperties(message_id=str(i), timestamp=1_780_000_000 + i, headers={"n": i}),
            json.dumps(value).encode(),
        )[0]
        for i, value in enumerate(_told(events))
    )
    return Recorded(raw, RabbitQueue("amqp://127.0.0.1", _mapping(), queue="q").decode)


def _told(events: int) -> Iterator[dict[str, Any]]:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    for i in range(events):
        order, step = divmod(i, 2 * len(STEPS))
        yield {
            "order": f"order-{order}",
            "step": STEPS[step // 2],
            "phase": ("start", "complete")[step % 2],
            "at": (begin + timedelta(seconds=i)).isoformat(timespec="milliseconds"),
            "worker": "ann" if step < 2 else "bot",
            "release": "v1",
            "attempt": 1,
            "amount": order / 4,
        }


def _fields(i: int, value: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"orders:0:{i}",
        "topic": "orders",
        "partition": 0,
        "offset": i,
        "milliseconds": 1_780_000_000_000 + i,
        "timed_by": "writer",
        "key": value["order"],
        "headers": '{"trace": "4bf92f3577b34da6a3ce929d0e0e4736"}',
    }


def _mapping() -> Any:
    from ingest.mapping import MappingFile

    path = Path(tempfile.mkdtemp()) / "orders.toml"
    path.write_text(MAPPING, encoding="utf-8")
    return MappingFile(path)
