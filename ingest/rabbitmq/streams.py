"""Messages of a stream of RabbitMQ as bytes, page by page, each page with the offset after it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ingest.rabbitmq.client import Address, await_messages, drop, failures
from ingest.rabbitmq.lines import line_of
from ingest.rabbitmq.reading import IDLE, LOST, Received
from ingest.source import Fetched
from miner.eventlog.definitions import Limitation

if TYPE_CHECKING:
    from pika.adapters.blocking_connection import BlockingConnection

AHEAD = 2_000
"""Messages that the broker sends ahead."""
CONFIRMED = 500
"""Messages after which it is told to send more; for streams an acknowledgement means no more."""


@dataclass(frozen=True)
class Stream:
    """A stream, and how to connect to the broker that has it."""

    name: str
    address: Address
    connect: Callable[[], BlockingConnection]

    @property
    def what(self) -> str:
        """What is read, for messages."""
        return f"stream {self.name!r}"


@dataclass
class _Reading(Received):
    """What came from a stream, up to where it ended when reading began."""

    end: int = 0
    first: int | None = None
    offset: int = -1
    """Of the last message."""
    over: bool = False


def stream_pages(
    stream: Stream, known: dict[str, Any] | None, since: datetime | None
) -> Iterator[Fetched]:
    """Yield what is in the stream now and was not read yet.

    `known` is the cursor of the last page, `{"offset": where reading goes on, "made": how many
    streams of this name there were}`.
    """
    made, begin = (known["made"], known["offset"]) if known else (1, None)
    end = _end(stream)
    anew = begin is not None and begin > end
    if anew:
        made, begin = made + 1, None
    if begin == end or not end:
        if anew:  # a load without messages leaves no trace, so that the next one has to say it
            yield Fetched(b"", {"offset": end, "made": made, "anew": True})
        return
    limitations = [_made_anew(stream.name)] if anew or (known and known.get("anew")) else []
    name = stream.name if made == 1 else f"{stream.name}~{made}"
    where = begin if begin is not None else since or "first"
    connection = stream.connect()
    try:
        reading = _Reading(end=end)
        _consume(stream, connection, where, reading, name)
        while not reading.over and time.monotonic() - reading.at < 3 * IDLE:
            await_messages(connection, stream.address, stream.what)
            if reading.full() and not reading.over:
                limitations += _missing(stream.name, reading, begin, since)
                cursor = {"offset": reading.offset + 1, "made": made}
                yield Fetched(reading.page(), cursor, tuple(limitations))
                limitations = []
                reading.at = time.monotonic()  # storing took its time
        limitations += _missing(stream.name, reading, begin, since)
        if reading.count:
            cursor = {"offset": reading.offset + 1, "made": made}
            yield Fetched(reading.page(), cursor, tuple(limitations))
    finally:
        drop(connection)


def _consume(
    stream: Stream,
    connection: BlockingConnection,
    where: int | str | datetime,
    reading: _Reading,
    name: str,
) -> None:
    """Let messages come, from `where` on, into `reading`."""

    def take(channel: Any, method: Any, properties: Any, body: bytes) -> None:
        line, offset = line_of(method, properties, body, name)
        if reading.over or offset is None:
            return
        if offset < reading.end:
            reading.first = offset if reading.first is None else reading.first
            reading.offset = offset
            reading.add(line, method.delivery_tag)
            if not reading.count % CONFIRMED:
                channel.basic_ack(method.delivery_tag, multiple=True)
        reading.over = offset + 1 >= reading.end

    with failures(stream.address, stream.what):
        channel = connection.channel()
        channel.queue_declare(stream.name, passive=True)
        channel.basic_qos(prefetch_count=AHEAD)
        channel.basic_consume(stream.name, take, arguments={"x-stream-offset": where})


def _end(stream: Stream) -> int:
    """The offset after the last message that is there now; 0 for an empty stream.

    The broker does not tell it, but gives the last chunk of messages to whoever asks for it.
    """
    connection = stream.connect()
    try:
        reading = _Reading(end=1 << 62)
        _consume(stream, connection, "last", reading, stream.name)
        patience = 2 * IDLE
        while time.monotonic() - reading.at < patience:
            before = reading.count
            await_messages(connection, stream.address, stream.what, 0.05)
            if reading.count > before:
                patience = IDLE / 5
            if reading.count > _MOST_PROBED:  # others go on writing
                break
        return reading.offset + 1
    finally:
        drop(connection)


_MOST_PROBED = 20_000


def _missing(
    name: str, reading: _Reading, begin: int | None, since: datetime | None
) -> list[Limitation]:
    """What the stream had deleted before it was read, said once."""
    first, reading.first = reading.first, -1
    if first is None or first < 0 or (begin is None and since):
        return []
    lost = first - (begin or 0)
    if lost <= 0:
        return []
    text = (
        f"Up to {lost} messages of stream {name} (offsets {begin or 0} to {first - 1}) were "
        "deleted before they were read."
    )
    return [Limitation("retention", text, LOST, lost)]


def _made_anew(name: str) -> Limitation:
    text = (
        f"Stream {name} was deleted and made anew since it was read; what it held in between is "
        "unknown."
    )
    return Limitation("recreated", text, LOST)
