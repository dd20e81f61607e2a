"""RabbitMQ."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import polars as pl

from ingest.mapping import MappingFile
from ingest.messages import events_of, lines_of, mapping_of, paths_in
from ingest.rabbitmq.lines import DIGEST
from ingest.source import Fetched, Known, Secret, SystemSource
from ingest.tables.instants import instant_of
from miner.errors import InputError
from miner.eventlog.definitions import Limitation

if TYPE_CHECKING:
    from pika.adapters.blocking_connection import BlockingConnection

NO_PASSWORD = Secret("")


@dataclass(frozen=True)
class RabbitQueue(SystemSource):
    """Messages of a RabbitMQ queue or stream; a mapping file says how they become events.

    Reading a queue empties it: messages are acknowledged once they are stored. So bind a queue of
    its own to an exchange. A stream keeps its messages, and is read on from where the last load
    ended.
    """

    name: ClassVar[str] = "rabbitmq"

    address: Annotated[str, "the broker, as amqp://host:5672/virtual-host or amqps://…"]
    mapping: Annotated[MappingFile, "the mapping file that says what is in a message"]
    queue: Annotated[str, "the queue to read and empty"] = ""
    stream: Annotated[str, "the stream to read instead of a queue"] = ""
    user: Annotated[str, "user of the broker [guest]"] = ""
    password: Annotated[Secret, "password of the user"] = NO_PASSWORD
    exchange: Annotated[str, "the exchange to bind the queue to; it is made if missing"] = ""
    routing_key: Annotated[str, "what to bind it for, with commas between"] = "#"
    shared: Annotated[bool, "read a queue that others read too; each message goes to one"] = False
    since: Annotated[str, "where a stream is begun, an ISO time [its oldest message]"] = ""
    authority: Annotated[str, "file with the certificates to trust [the system's]"] = ""
    timeout: Annotated[float, "seconds to wait for the broker"] = 15.0

    def __post_init__(self) -> None:
        """Refuse an address with a password at once, before anything can show it."""
        from ingest.rabbitmq.client import address_of

        address_of(self.address, self.user)

    def fetch(self, known: Known) -> Iterator[Fetched]:
        """Yield the messages that are new in pages of lines, see `ingest.messages`."""
        from ingest.rabbitmq.client import address_of, connect
        from ingest.rabbitmq.reading import Binding, queue_pages
        from ingest.rabbitmq.streams import Stream, stream_pages

        self._check()
        address = address_of(self.address, self.user)

        def connected() -> BlockingConnection:
            return connect(address, self.password, self.authority, self.timeout)

        if self.stream:
            stream = Stream(self.stream, address, connected)
            return stream_pages(stream, known.cursor, instant_of("since", self.since))
        keys = tuple(key.strip() for key in self.routing_key.split(","))
        binding = Binding(self.exchange, keys) if self.exchange else None
        return queue_pages(
            connected(), address, self.queue, binding, known.cursor, shared=self.shared
        )

    def decode(self, raw: bytes) -> pl.DataFrame:
        """The events in a page of lines."""
        return events_of(raw, mapping_of(self.mapping))

    def limitations(self, events: pl.DataFrame, raw: bytes) -> tuple[Limitation, ...]:
        """Says which messages have coarse times, and which have no id of their own."""
        lines = lines_of(raw)
        mapping = mapping_of(self.mapping)
        found = []
        coarse = lines.filter(pl.col("timed_by") == "seconds").height
        times = {("timestamp",), ("headers", "timestamp"), ("headers", "died_at")}
        if coarse and times & paths_in(mapping, "timestamp"):
            text = "Messages have times in whole seconds; shorter times cannot be told."
            measures = ("waiting_time", "service_time", "cycle_time")
            found.append(Limitation("whole-seconds", text, measures, coarse))
        unnamed = lines.filter(pl.col("id").str.starts_with(DIGEST)).height
        if unnamed and not paths_in(mapping, "event_id"):
            text = "Messages have no message_id: those that say exactly the same count once."
            found.append(Limitation("no-message-id", text, ("frequency", "rework_rate"), unnamed))
        return tuple(found)

    def scope(self) -> str:
        """The broker, the queue or stream and what is made of it."""
        chosen = {
            "address": self.address,
            "queue": self.queue,
            "stream": self.stream,
            "mapping": str(self.mapping),
        }
        return json.dumps(chosen, sort_keys=True)

    def _check(self) -> None:
        if bool(self.queue) == bool(self.stream):
            raise InputError(
                "RabbitMQ is read from a queue or from a stream.",
                hint="Name one with --queue or --stream.",
            )
        if self.stream and self.exchange:
            raise InputError(
                "A stream is not bound to an exchange by reading it.",
                hint="Leave --exchange out, or read a queue.",
            )
        mapping_of(self.mapping)
