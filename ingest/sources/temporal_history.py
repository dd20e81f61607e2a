"""Files of Temporal histories."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import duckdb
import polars as pl

from ingest.source import DecodedFile, Scan
from miner.eventlog.definitions import Limitation

if TYPE_CHECKING:
    from ingest.temporal.runs import Decoded

PIECE_EVENTS = 50_000
"""Events of history that are decoded together."""


@dataclass(frozen=True)
class TemporalHistory(DecodedFile):
    """Histories that `temporal workflow show -o json` wrote: one, several, or one in each line."""

    name: ClassVar[str] = "temporal-history"

    namespace: Annotated[str, "the namespace of the workflows, which the file does not tell"] = (
        "default"
    )

    def frames(self) -> Iterator[pl.DataFrame]:
        """The events, some histories at a time; raises LogFormatError for no such file."""
        for decoded in self._pieces():
            yield decoded.events

    def scan(self, connection: duckdb.DuckDBPyConnection) -> Scan:
        """The events, and what the histories could not tell."""
        telling = _Telling(self.path, self.namespace)
        scan = DecodedFile.scan(telling, connection)
        scan.limitations = tuple(telling.told)
        return scan

    def _pieces(self) -> Iterator[Decoded]:
        from ingest.temporal.files import histories
        from ingest.temporal.runs import Histories

        name = Path(self.path).name.split(".")[0]
        gathered = Histories(self.namespace)
        for events in histories(Path(self.path)):
            gathered.add(events, name)
            if gathered.types.total() >= PIECE_EVENTS:
                yield gathered.decoded()
                gathered = Histories(self.namespace)
        if gathered.runs:
            yield gathered.decoded()


@dataclass(frozen=True)
class _Telling(TemporalHistory):
    """Notes what each piece could not tell while it is read."""

    told: list[Limitation] = field(default_factory=list)

    def frames(self) -> Iterator[pl.DataFrame]:
        from ingest.temporal.runs import hidden, missing_attempts

        for decoded in self._pieces():
            self.told.extend((*hidden(decoded.types), *missing_attempts(decoded.events)))
            yield decoded.events
