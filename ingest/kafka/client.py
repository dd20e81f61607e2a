"""The connection to Kafka, with errors turned into ours; nothing here joins a consumer group."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

from miner.errors import (
    InputError,
    MissingPackageError,
    SourceError,
    SourceRefusedError,
    SourceUnavailableError,
)

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Message
    from confluent_kafka.admin import AdminClient

Answer = TypeVar("Answer")

_REFUSALS = (
    "_AUTHENTICATION",
    "_SSL",
    "_AUTO_OFFSET_RESET",
    "SASL_AUTHENTICATION_FAILED",
    "UNSUPPORTED_SASL_MECHANISM",
    "ILLEGAL_SASL_STATE",
    "TOPIC_AUTHORIZATION_FAILED",
    "CLUSTER_AUTHORIZATION_FAILED",
)
"""Complaints that trying again does not help against."""

UNIMPORTANT = ("GROUP_AUTHORIZATION_FAILED",)
"""Nothing is read as a member of a group, so no right to one is needed."""

_PASSING = ("_TRANSPORT", "_TIMED_OUT", "_ALL_BROKERS_DOWN", "REQUEST_TIMED_OUT")
"""What may be better a moment later."""

_READING = {
    "group.id": "procession",  # the client wants a name; the group is never joined
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "error",  # records that vanish while reading must not pass unseen
    "isolation.level": "read_committed",
    "queued.max.messages.kbytes": 32_768,
}


@dataclass(frozen=True)
class Brokers:
    """A consumer of the brokers at `address`, and what went wrong with it so far."""

    address: str
    consumer: Consumer
    admin: AdminClient
    timeout: float
    complaints: list[KafkaError] = field(default_factory=list)

    def ask(self, question: Callable[[float], Answer]) -> Answer:
        """What the brokers answer to a question that is given seconds to wait for it.

        Raises SourceRefusedError, or SourceUnavailableError when there is no answer in time.
        """
        from confluent_kafka import KafkaException

        began = time.monotonic()
        while True:
            elapsed = time.monotonic() - began
            try:
                # Short at first: a wrong password, say, is told only between two questions.
                return question(min(self.timeout, max(2.0, elapsed)))
            except KafkaException as raised:
                error = raised.args[0]
                self.consumer.poll(0)
                self.check()
                if error.name() not in _PASSING or time.monotonic() - began >= self.timeout:
                    raise self.failure(error) from None

    def partitions(self, topic: str) -> list[int]:
        """The partitions of a topic; SourceRefusedError with a near name when there is none."""
        found = self.ask(lambda seconds: self.consumer.list_topics(topic, timeout=seconds))
        about = found.topics[topic]
        if about.error is None and about.partitions:
            return sorted(about.partitions)
        if about.error is not None and about.error.name() != "UNKNOWN_TOPIC_OR_PART":
            raise self.failure(about.error, topic)
        every = self.ask(lambda seconds: self.consumer.list_topics(timeout=seconds)).topics
        near = get_close_matches(topic, every, n=1)
        raise SourceRefusedError(
            f"The brokers at {self.address} have no topic {topic!r}, or none you may read.",
            hint=f"Did you mean {near[0]!r}?" if near else "Name one of theirs with --topics.",
        )

    def records(self, most: int) -> list[Message]:
        """Up to `most` records or ends of partitions that came; raises what makes none come."""
        began = time.monotonic()
        while time.monotonic() - began < self.timeout:
            found: list[Message] = self.consumer.consume(num_messages=most, timeout=0.2)
            if found:
                return found
            self.check()
        raise SourceUnavailableError(
            f"The brokers at {self.address} sent nothing for {self.timeout:g} seconds.",
            hint="Run the command again later; what was read so far is kept.",
        )

    def check(self) -> None:
        """Raise what the brokers refused; whether they are away shows when nothing comes."""
        for complaint in self.complaints:
            if complaint.name() in _REFUSALS:
                raise self.failure(complaint)

    def failure(self, error: KafkaError, topic: str = "") -> SourceError:
        """The error of ours that says what the client says."""
        name, text = error.name(), error.str()
        if name in ("TOPIC_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED"):
            what = f"topic {topic!r}" if topic else "a topic"
            return SourceRefusedError(
                f"The brokers at {self.address} do not let this user read {what}.",
                hint="Allow READ and DESCRIBE on the topic; no group is needed.",
            )
        if name in _REFUSALS:
            return SourceRefusedError(
                f"The brokers at {self.address} refused: {text}.",
                hint="Check the options security, mechanism and user, and the password.",
            )
        return SourceUnavailableError(
            f"The brokers at {self.address} do not answer: {text}.",
            hint="Check that they are up and that their advertised addresses can be reached from "
            "here, then run the command again.",
        )


@contextmanager
def brokers(address: str, settings: dict[str, Any], timeout: float) -> Iterator[Brokers]:
    """A connection with further `settings` of librdkafka, closed afterwards."""
    try:
        from confluent_kafka import Consumer, KafkaException
        from confluent_kafka.admin import AdminClient
    except ImportError as error:
        raise MissingPackageError("Reading Kafka", "confluent-kafka", "kafka") from error
    complaints: list[KafkaError] = []

    def complain(error: KafkaError) -> None:
        if error.name() not in UNIMPORTANT:
            complaints.append(error)

    # Its own log goes to stderr and repeats what the errors say.
    silent = logging.getLogger("procession.kafka")
    silent.addHandler(logging.NullHandler())
    silent.propagate = False
    connection = {"bootstrap.servers": address, "client.id": "procession", **settings}
    try:
        consumer = Consumer(connection | _READING, logger=silent, error_cb=complain)
        admin = AdminClient(connection, logger=silent)
    except KafkaException as error:
        raise InputError(
            f"Kafka cannot be read like this: {error.args[0].str()}.",
            hint="Check the options brokers, security, mechanism, and the certificates.",
        ) from None
    try:
        yield Brokers(address, consumer, admin, timeout, complaints)
    finally:
        consumer.close()
