"""Messages of a queue of RabbitMQ as bytes, page by page, acknowledged when they are stored."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ingest.rabbitmq.client import Address, await_messages, drop, failures
from ingest.rabbitmq.lines import line_of
from ingest.source import Fetched
from miner.errors import SourceRefusedError
from miner.eventlog.definitions import Limitation

if TYPE_CHECKING:
    from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection

PAGE = 5_000
"""Messages in a page."""
PAGE_BYTES = 32 << 20
HELD = 60_000
"""Messages that the broker delivers before the first of them has to be acknowledged."""
LOST = ("cycle_time", "waiting_time", "failure_rate", "retry_rate", "frequency")
"""The measures that missing messages touch."""
IDLE = 1.0
"""Seconds without a message after which there are none left to come."""

_READ = {"read": True}
"""The cursor of a queue, which forgets by itself what was read."""


@dataclass
class Received:
    """What a consumer was given, and what of it waits to become a page."""

    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    count: int = 0
    """How many messages there were, over all pages."""
    tag: int = 0
    """The number of the last message, which stands for all before it."""
    at: float = field(default_factory=time.monotonic)

    def add(self, line: bytes, tag: int) -> None:
        """Take a message over."""
        self.lines.append(line)
        self.size += len(line)
        self.count += 1
        self.tag = tag
        self.at = time.monotonic()

    def full(self) -> bool:
        """Whether there is enough for a page."""
        return len(self.lines) >= PAGE or self.size >= PAGE_BYTES

    def page(self) -> bytes:
        """The lines since the last page."""
        lines, self.lines, self.size = self.lines, [], 0
        return b"".join(lines)


@dataclass(frozen=True)
class Binding:
    """What our own queue is bound to."""

    exchange: str
    routing_keys: tuple[str, ...]


def queue_pages(
    connection: BlockingConnection,
    address: Address,
    queue: str,
    binding: Binding | None,
    known: Any,
    *,
    shared: bool,
) -> Iterator[Fetched]:
    """Yield the messages that wait in a queue now; `known` is the cursor of the last page.

    What was yielded is acknowledged when it is stored, and comes again if it never was. The
    connection is closed with the last acknowledgement, or when reading is given up.
    """
    what = f"queue {queue!r}"
    finished = False
    try:
        limitations: tuple[Limitation, ...] = ()
        if binding:
            _bind(connection, address, queue, binding)
            limitations = () if known else (_bound_late(queue, binding),)
        with failures(address, what):
            channel = connection.channel()
            waiting = _waiting(channel, address, queue, shared)
            channel.basic_qos(prefetch_count=min(HELD, max(waiting, 1)))
            received = _consuming(channel, queue)
        while received.count < waiting and time.monotonic() - received.at < IDLE:
            await_messages(connection, address, what)
            if received.full():
                raw = received.page()
                confirm = _confirming(channel, received.tag)
                yield Fetched(raw, _READ, limitations, confirm)
                limitations = ()
                received.at = time.monotonic()  # storing took its time
        finished = True
        last = _confirming(channel, received.tag if received.lines else 0, connection)
        if received.lines:
            yield Fetched(received.page(), _READ, limitations, last)
        else:
            yield Fetched(b"", acknowledge=last)
    finally:
        if not finished:
            drop(connection)


def _bind(connection: BlockingConnection, address: Address, queue: str, binding: Binding) -> None:
    """Bind our own queue, which is made if it is not there."""
    from pika.exceptions import ChannelClosedByBroker

    with failures(address, f"exchange {binding.exchange!r}"):
        connection.channel().exchange_declare(binding.exchange, passive=True)
    with failures(address, f"queue {queue!r}"):
        try:
            connection.channel().queue_declare(queue, passive=True)
        except ChannelClosedByBroker as error:
            if error.reply_code != 404:
                raise
            # Not a quorum queue: those give a message up that was delivered too often.
            connection.channel().queue_declare(queue, durable=True)
    with failures(address, f"exchange {binding.exchange!r}"):
        channel = connection.channel()
        for key in binding.routing_keys:
            channel.queue_bind(queue, binding.exchange, key)
        channel.close()


def _bound_late(queue: str, binding: Binding) -> Limitation:
    text = (
        f"What was published to exchange {binding.exchange} before queue {queue} was bound to it "
        "is unknown."
    )
    return Limitation("retention", text, LOST)


def _waiting(channel: BlockingChannel, address: Address, queue: str, shared: bool) -> int:
    """How many messages wait; SourceRefusedError when others take them as well."""
    limit = time.monotonic() + 3  # the end of a consumer may not be noticed at once
    while True:
        found = channel.queue_declare(queue, passive=True).method
        if shared or not found.consumer_count:
            return int(found.message_count)
        if time.monotonic() > limit:
            raise SourceRefusedError(
                f"Queue {queue!r} at {address} is being read by others ({found.consumer_count}), "
                "who would miss each message that is read here.",
                hint="Bind a queue of its own with --exchange and --routing-key, or say --shared.",
            )
        time.sleep(0.2)


def _consuming(channel: BlockingChannel, queue: str) -> Received:
    received = Received()

    def take(_channel: Any, method: Any, properties: Any, body: bytes) -> None:
        line, _ = line_of(method, properties, body)
        received.add(line, method.delivery_tag)

    channel.basic_consume(queue, take)
    return received


def _confirming(
    channel: BlockingChannel,
    tag: int,
    connection: BlockingConnection | None = None,
) -> Callable[[], None]:
    """Acknowledge all up to a message, then close a connection."""
    from pika.exceptions import AMQPError

    def confirm() -> None:
        # Without a connection they come again, and are known then; reading on says what is wrong.
        if tag:
            with suppress(AMQPError, OSError):
                channel.basic_ack(tag, multiple=True)
        if connection:
            drop(connection)

    if connection:
        # Whoever looks without storing never confirms; what was read waits for the next load then.
        weakref.finalize(confirm, drop, connection)
    return confirm
