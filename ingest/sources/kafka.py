"""Apache Kafka."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import polars as pl

from ingest.mapping import MappingFile
from ingest.messages import events_of, lines_of, mapping_of, paths_in
from ingest.source import Fetched, Known, Secret, SystemSource
from ingest.tables.instants import instant_of
from miner.errors import InputError, UnknownNameError
from miner.eventlog.definitions import Limitation

ENCODINGS = ("json", "avro")
NO_PASSWORD = Secret("")


@dataclass(frozen=True)
class KafkaTopics(SystemSource):
    """Records of Kafka topics; a mapping file says how they become events.

    Each load reads from where the last one ended to what is there when it begins. The offsets are
    kept in the store with the events, so no consumer group is needed, and records of transactions
    that were aborted are not read.
    """

    name: ClassVar[str] = "kafka"

    brokers: Annotated[str, "one or more brokers as host:port, with commas between"]
    topics: Annotated[str, "the topics to read, with commas between"]
    mapping: Annotated[MappingFile, "the mapping file that says what is in a record"]
    encoding: Annotated[str, "how values are written: json or avro"] = "json"
    registry: Annotated[str, "address of the schema registry of Avro values"] = ""
    registry_user: Annotated[str, "user of the schema registry"] = ""
    registry_password: Annotated[Secret, "password for the schema registry"] = NO_PASSWORD
    schema: Annotated[str, "file with the schema of all Avro values, instead of a registry"] = ""
    security: Annotated[str, "plaintext, ssl, sasl_plaintext or sasl_ssl"] = "plaintext"
    mechanism: Annotated[str, "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"] = "PLAIN"
    user: Annotated[str, "user for the brokers"] = ""
    password: Annotated[Secret, "password for the brokers"] = NO_PASSWORD
    authority: Annotated[str, "file with the certificates to trust [the system's]"] = ""
    certificate: Annotated[str, "file with the certificate of this client"] = ""
    certificate_key: Annotated[str, "file with the key of that certificate"] = ""
    certificate_password: Annotated[Secret, "password of that key"] = NO_PASSWORD
    since: Annotated[str, "where reading begins at first, an ISO time [the oldest record]"] = ""
    until: Annotated[str, "where reading ends, an ISO time [what is there at the beginning]"] = ""
    timeout: Annotated[float, "seconds to wait for the brokers"] = 30.0
    page: Annotated[int, "records that are taken over at a time"] = 50_000

    def fetch(self, known: Known) -> Iterator[Fetched]:
        """Yield the records that are new in pages of lines, see `ingest.messages`."""
        from ingest.kafka import client as kafka_client
        from ingest.kafka import offsets as kafka_offsets
        from ingest.kafka import reading as kafka_reading
        from ingest.messages import schema_registry

        self._check()
        topics = _listed(self.topics)
        offsets = kafka_offsets.offsets_of(known.cursor)
        since, until = instant_of("since", self.since), instant_of("until", self.until)
        with ExitStack() as stack:
            schemas = None
            if self.encoding == "avro":
                schemas = stack.enter_context(
                    schema_registry.schemas_of(
                        self.schema, self.registry, self.registry_user, self.registry_password
                    )
                )
            brokers = stack.enter_context(
                kafka_client.brokers(
                    ",".join(_listed(self.brokers)), self._settings(), self.timeout
                )
            )
            plan = kafka_offsets.plan_of(brokers, topics, offsets, since, until)
            yield from kafka_reading.pages(brokers, plan, offsets, self.page, schemas)

    def decode(self, raw: bytes) -> pl.DataFrame:
        """The events in a page of lines."""
        return events_of(raw, mapping_of(self.mapping), avro=self.encoding == "avro")

    def limitations(self, events: pl.DataFrame, raw: bytes) -> tuple[Limitation, ...]:
        """Says when the only times there are were given by the broker."""
        if ("timestamp",) not in paths_in(mapping_of(self.mapping), "timestamp"):
            return ()
        by_broker = lines_of(raw).filter(pl.col("timed_by") == "broker").height
        if not by_broker:
            return ()
        text = (
            "Records have the time at which the broker stored them, which is later than what "
            "happened."
        )
        measures = ("waiting_time", "service_time", "cycle_time")
        return (Limitation("append-time", text, measures, by_broker),)

    def scope(self) -> str:
        """The brokers, the topics and what is made of them; how to reach them does not matter."""
        chosen = {
            "brokers": sorted(_listed(self.brokers)),
            "topics": sorted(_listed(self.topics)),
            "mapping": str(self.mapping),
        }
        return json.dumps(chosen, sort_keys=True)

    def _check(self) -> None:
        if self.encoding == "cloudevents":
            raise InputError(
                "CloudEvents are no encoding of values: the mapping says that records are such.",
                hint='Write format = "cloudevents" in the mapping file and use --encoding json.',
            )
        if self.encoding not in ENCODINGS:
            raise UnknownNameError("encoding", self.encoding, ENCODINGS)
        if self.page < 1:
            raise InputError(
                f"A page of {self.page} records holds nothing.", hint="Give 1 or more."
            )
        mapping_of(self.mapping)

    def _settings(self) -> dict[str, Any]:
        """The options as librdkafka calls them."""
        settings: dict[str, Any] = {"security.protocol": self.security}
        if self.security.startswith("sasl"):
            settings |= {
                "sasl.mechanism": self.mechanism,
                "sasl.username": self.user,
                "sasl.password": str.__str__(self.password),
            }
        files = {
            "ssl.ca.location": self.authority,
            "ssl.certificate.location": self.certificate,
            "ssl.key.location": self.certificate_key,
            "ssl.key.password": str.__str__(self.certificate_password),
        }
        return settings | {name: value for name, value in files.items() if value}


def _listed(text: str) -> list[str]:
    """What stands between commas."""
    return [part.strip() for part in text.split(",") if part.strip()]
