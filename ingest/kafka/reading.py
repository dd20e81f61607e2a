"""Records of Kafka as bytes, page by page, each page with the offsets after it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ingest.kafka.client import UNIMPORTANT, Brokers
from ingest.kafka.offsets import Offsets, Plan, cursor_of
from ingest.messages import message_line, readable
from ingest.messages.schema_registry import Schemas
from ingest.source import Fetched

if TYPE_CHECKING:
    from confluent_kafka import Message

PAGE_BYTES = 32 << 20
"""A page ends when it holds this much, so that large records do not fill the memory."""
AT_ONCE = 10_000
"""How many records are taken over from the client at a time."""

_END_OF_PARTITION = -191
_TIMES = {1: "writer", 2: "broker"}


@dataclass
class _Page:
    """What was read since the last page, with the schemas it was written with."""

    schemas: Schemas | None
    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    met: set[int] = field(default_factory=set)

    def add(self, record: Message, prefix: str) -> None:
        """Add a record, and before it the schema of its value when the page has it not yet."""
        value = record.value()
        if self.schemas and value:
            number = self.schemas.number(value)
            if number is not None and number not in self.met:
                self.met.add(number)
                self.lines.append(self.schemas.line(number))
        kind, milliseconds = record.timestamp()
        key = record.key()
        fields = {
            "id": f"{prefix}:{record.partition()}:{record.offset()}",
            "topic": record.topic(),
            "partition": record.partition(),
            "offset": record.offset(),
            "milliseconds": milliseconds if kind else None,
            "timed_by": _TIMES.get(kind),
            "key": None if key is None else readable(key),
            "headers": _headers(record),
        }
        made = message_line(fields, value, binary=self.schemas is not None)
        self.lines.append(made)
        self.size += len(made)

    def full(self, most: int) -> bool:
        return len(self.lines) >= most or self.size >= PAGE_BYTES


def pages(
    brokers: Brokers, plan: Plan, elsewhere: Offsets, most: int, schemas: Schemas | None = None
) -> Iterator[Fetched]:
    """Yield the records of the plan, up to `most` in a page.

    The cursor of each page holds the offsets of all topics, also those `elsewhere` that this load
    does not read. A page holds the `schemas` that its records need, so that its bytes are enough to
    decode it.
    """
    from confluent_kafka import TopicPartition

    now = plan.begin
    unfinished = plan.unread()
    starts = [TopicPartition(*where, now[where[0]].offsets[where[1]]) for where in unfinished]
    brokers.ask(lambda _seconds: brokers.consumer.assign(starts))
    limitations = tuple(plan.limitations)
    page = _Page(schemas)
    while unfinished:
        for record in brokers.records(min(most, AT_ONCE)):
            where = _take(brokers, record, plan, page)
            if where:
                unfinished.discard(where)
                brokers.consumer.pause([TopicPartition(*where)])
        if page.full(most) and unfinished:
            yield Fetched(b"".join(page.lines), cursor_of(elsewhere | now), limitations)
            page, limitations = _Page(schemas), ()
    moved = any(elsewhere.get(name) != topic for name, topic in now.items())
    # A load without records leaves no trace: what is missing is then said by the next one.
    if page.lines or (moved and not limitations):
        yield Fetched(b"".join(page.lines), cursor_of(elsewhere | now), limitations)


def _take(brokers: Brokers, record: Message, plan: Plan, page: _Page) -> tuple[str, int] | None:
    """Add a record to the page and move on behind it; the partition if its end is reached."""
    name, number, offset = record.topic(), record.partition(), record.offset()
    error = record.error()
    if error is not None and error.name() in UNIMPORTANT:
        return None
    if error is not None and error.code() != _END_OF_PARTITION:
        raise brokers.failure(error, name or "")
    assert name is not None and number is not None and offset is not None
    topic, end = plan.begin[name], plan.end[name, number]
    if error is not None or offset >= end:
        # Between the last record and the end there may be marks of transactions.
        topic.offsets[number] = max(topic.offsets[number], min(offset, end))
        return name, number
    page.add(record, topic.event_prefix(name))
    topic.offsets[number] = offset + 1
    return (name, number) if offset + 1 >= end else None


def _headers(record: Message) -> str | None:
    """The headers as one JSON object; of those with the same name the last."""
    given: Any = record.headers()
    if not given:
        return None
    return json.dumps({name: None if text is None else readable(text) for name, text in given})
