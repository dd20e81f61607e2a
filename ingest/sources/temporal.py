"""Temporal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Annotated, ClassVar

import polars as pl

from ingest.source import Fetched, Known, Secret, SystemSource
from miner.eventlog.definitions import Limitation


@dataclass(frozen=True)
class Temporal(SystemSource):
    """Workflows of a Temporal namespace: a case per workflow, however many runs it takes."""

    name: ClassVar[str] = "temporal"

    address: Annotated[str, "host:port of the server's frontend"] = "localhost:7233"
    namespace: Annotated[str, "the namespace to read"] = "default"
    query: Annotated[str, "only these workflows, as in temporal workflow list --query"] = ""
    api_key: Annotated[Secret | None, "API key with the right to read the namespace"] = None
    tls: Annotated[bool, "encrypt the connection"] = False
    ca: Annotated[str, "file with the certificate of the authority that the server shows"] = ""
    certificate: Annotated[str, "file with the certificate to show the server"] = ""
    key: Annotated[str, "file with the key of that certificate"] = ""
    overlap: Annotated[int, "seconds that the server may take to list a workflow that closed"] = 120

    def scope(self) -> str:
        """The namespace and what is read of it: other options do not change what is known."""
        return json.dumps([self.address, self.namespace, self.query])

    def fetch(self, known: Known) -> Iterator[Fetched]:
        """What closed since the last time, in order of closing, then what runs now.

        Each piece is lines of JSON, one for a run: its history as the server answered it and, if
        it runs, its description, which alone knows of activities that have not ended.
        """
        from ingest.temporal.client import Access, Server
        from ingest.temporal.reading import Position, Reading

        access = Access(
            self.address, self.namespace, self.api_key, self.tls, self.ca, self.certificate,
            self.key,
        )  # fmt: skip
        with Server(access) as server:
            position = Position.of(known.cursor)
            overlap = timedelta(seconds=self.overlap)
            reading = Reading(server, self.namespace, self.query, overlap, position)
            yield from reading.pieces(known.since.replace(tzinfo=UTC) if known.since else None)

    def decode(self, raw: bytes) -> pl.DataFrame:
        """The events in lines that `fetch` yielded."""
        from ingest.temporal.runs import decode_lines

        return decode_lines(raw)

    def limitations(self, events: pl.DataFrame, raw: bytes) -> tuple[Limitation, ...]:
        """Attempts that the server counted but did not record."""
        from ingest.temporal.runs import missing_attempts

        return tuple(missing_attempts(events, is_open=b'"pending"' in raw))
