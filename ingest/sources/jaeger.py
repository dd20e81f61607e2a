"""Jaeger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, ClassVar

import polars as pl

from ingest import http
from ingest.otlp.events import Reading, events_of
from ingest.otlp.formats import spans_of
from ingest.otlp.jaeger_api import Answered, Jaeger, windows
from ingest.otlp.limits import limitations_in
from ingest.otlp.spans import BROKEN
from ingest.source import Fetched, Known, Secret, SystemSource
from miner.errors import InputError, SourceRefusedError
from miner.eventlog.definitions import Limitation
from miner.eventlog.schema import BATCH


@dataclass(frozen=True)
class JaegerTraces(SystemSource):
    """Traces that a Jaeger server keeps: spans become activities with start, end and errors."""

    name: ClassVar[str] = "jaeger"

    address: Annotated[str, "address of Jaeger's query service, as http://host:16686"]
    service: Annotated[
        str | None, "services whose traces are read, with commas between; all if none is given"
    ] = None
    case: Annotated[
        str | None, "attributes that hold the id of a run, with commas between; else the trace"
    ] = None
    workflow: Annotated[
        str | None, "what tells processes apart: root (its span), service, or an attribute"
    ] = None
    raw_names: Annotated[bool, "names of spans as they are, with ids and numbers in them"] = False
    api: Annotated[str, "v3, legacy, or auto to ask the server"] = "auto"
    limit: Annotated[int, "traces in one answer; where there are more, the window is halved"] = 200
    lookback: Annotated[float, "hours before now that the first reading begins"] = 48.0
    overlap: Annotated[float, "minutes before the last reading that are read again"] = 10.0
    settle: Annotated[float, "seconds before now that are left for the next reading"] = 5.0
    user: Annotated[str | None, "user, where a proxy asks for one"] = None
    password: Annotated[Secret | None, "password of that user"] = None
    token: Annotated[Secret | None, "bearer token, where a proxy asks for one"] = None

    def fetch(self, known: Known) -> Iterator[Fetched]:
        """Answers about one window of time after the other, the oldest first."""
        if self.limit < 1 or self.lookback <= 0 or self.overlap < 0 or self.settle < 0:
            raise InputError(
                "limit and lookback have to be above zero, overlap and settle not below.",
                hint="Leave them out to get the defaults.",
            )
        if Path(self.address).is_file():
            raise InputError(
                f"{self.address!r} is a file, not the address of a server.",
                hint=f"Traces saved from Jaeger are read with: procession load otlp {self.address}",
            )
        basic = (self.user, self.password or Secret("")) if self.user else None
        start, end = self._range(known)
        with http.client(self.address, token=self.token, basic=basic) as client:
            jaeger = Jaeger(client, self.api)
            services = self._services(jaeger)

            def ask(after: datetime, before: datetime) -> Answered:
                return jaeger.traces(services, after, before, self.limit)

            for answered in windows(start, end, self.limit, ask):
                yield Fetched(answered.raw, answered.end.isoformat(), answered.limitations)

    def decode(self, raw: bytes) -> pl.DataFrame:
        """The events of the traces in the answers, one answer per line."""
        if not raw.strip():
            return pl.DataFrame(schema=BATCH)
        try:
            spans = spans_of(raw)
        except ValueError as error:
            raise _not_understood(raw) from error
        if (spans["reason"] == BROKEN).any():
            raise _not_understood(raw)
        return events_of(spans, Reading(self.case, self.workflow, self.raw_names))

    def limitations(self, events: pl.DataFrame, raw: bytes) -> tuple[Limitation, ...]:
        """Parents that never came, clocks that differ, samples."""
        return limitations_in(events)

    def scope(self) -> str:
        """The server and what is made of its traces; how much is asked for at once may change."""
        chosen = (self.address, self.service, self.case, self.workflow, self.raw_names)
        return json.dumps(chosen)

    def _services(self, jaeger: Jaeger) -> list[str]:
        there = jaeger.services()
        if self.service is None:
            return [name for name in there if not name.startswith("jaeger")]
        return [name for name in (part.strip() for part in self.service.split(",")) if name]

    def _range(self, known: Known) -> tuple[datetime, datetime]:
        now = datetime.now(UTC).replace(tzinfo=None)
        end = now - timedelta(seconds=self.settle)
        if known.cursor:
            start = datetime.fromisoformat(known.cursor) - timedelta(minutes=self.overlap)
        elif known.since:
            start = known.since - timedelta(minutes=self.overlap)
        else:
            start = end - timedelta(hours=self.lookback)
        return min(start, end), end


def _not_understood(raw: bytes) -> SourceRefusedError:
    return SourceRefusedError(
        f"Jaeger answered with something that holds no traces: {raw[:80]!r}.",
        hint="Check that the address is that of Jaeger's query service; its API may have changed.",
    )
