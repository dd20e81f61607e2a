"""Files of Temporal histories."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import polars as pl

from ingest.source import DecodedFile

PIECE_EVENTS = 25_000
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
        from ingest.temporal_files import histories
        from ingest.temporal_runs import Histories

        name = Path(self.path).name.split(".")[0]
        gathered = Histories(self.namespace)
        for events in histories(Path(self.path)):
            gathered.add(events, name)
            if gathered.types.total() >= PIECE_EVENTS:
                yield gathered.decoded().events
                gathered = Histories(self.namespace)
        if gathered.runs:
            yield gathered.decoded().events
