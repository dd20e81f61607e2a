"""Files of spans: OpenTelemetry, Jaeger, Zipkin."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, ClassVar

import duckdb
import polars as pl

from ingest.otlp.events import EVENTS, Reading, prepare
from ingest.otlp.formats import frames_of
from ingest.otlp.limits import limitations_of
from ingest.otlp.spans import SPAN
from ingest.source import DecodedFile, Scan
from miner.settings import settings

BATCH_EVENTS = 100_000


@dataclass(frozen=True)
class OtlpFile(DecodedFile):
    """OpenTelemetry spans: OTLP as JSON, JSON lines or protobuf, saved Jaeger and Zipkin traces."""

    name: ClassVar[str] = "otlp"

    case: Annotated[
        str | None, "attributes that hold the id of a run, with commas between; else the trace"
    ] = None
    workflow: Annotated[
        str | None, "what tells processes apart: root (its span), service, or an attribute"
    ] = None
    raw_names: Annotated[bool, "names of spans as they are, with ids and numbers in them"] = False

    def frames(self) -> Iterator[pl.DataFrame]:
        """The events of the file; what depends on a whole trace is decided on disk if need be."""
        with tempfile.TemporaryDirectory(prefix="procession-") as folder:
            connection = duckdb.connect(
                Path(folder) / "spans.duckdb", config={"memory_limit": settings().loading_memory}
            )
            try:
                self._stage(connection)
                prepare(connection, "given", Reading(self.case, self.workflow, self.raw_names))
                for batch in connection.sql(EVENTS).to_arrow_reader(BATCH_EVENTS):
                    frame = pl.from_arrow(batch)
                    assert isinstance(frame, pl.DataFrame)
                    yield frame
            finally:
                connection.close()

    def scan(self, connection: duckdb.DuckDBPyConnection) -> Scan:
        """The events of the file, and what its spans could not tell."""
        opened = super().scan(connection)
        opened.limitations = limitations_of(connection, "decoded")
        return opened

    def _stage(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Bring all spans of the file into the table `given`."""
        statement = "create table given as from piece"
        for frame in chain([pl.DataFrame(schema=SPAN)], frames_of(Path(self.path))):
            connection.register("piece", frame)
            connection.execute(statement)
            connection.unregister("piece")
            statement = "insert into given from piece"
