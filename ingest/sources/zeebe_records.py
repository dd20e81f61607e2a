"""Records that a Zeebe broker exported, in files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import polars as pl

from ingest.source import DecodedFile
from ingest.zeebe.decoding import decoded
from ingest.zeebe.lines import lines, pieces
from ingest.zeebe.models import Model, models_in
from miner.errors import LogFormatError
from miner.eventlog.definitions import Definition


@dataclass(frozen=True)
class ZeebeRecords(DecodedFile):
    """Records exported by Camunda 8 (Zeebe): JSON lines, also as documents of Elasticsearch."""

    name: ClassVar[str] = "zeebe-records"

    def frames(self) -> Iterator[pl.DataFrame]:
        """The events of the file; LogFormatError when no line of it is a record."""
        path = Path(self.path)
        if not any(b'"valueType"' in piece for piece in pieces(path)):
            raise LogFormatError(
                f"No line of {str(self.path)!r} is a record of Zeebe.",
                hint='Each line has to be one record, as {"partitionId":1,"valueType":"JOB",…}.',
            )
        yield from decoded(map(lines, pieces(path)), self._models())

    def definitions(self) -> Iterator[Definition]:
        """The BPMN of each version whose deployment is among the records."""
        yield from (model.definition() for model in self._models())

    def _models(self) -> list[Model]:
        found: dict[str, Model] = {}
        for piece in pieces(Path(self.path)):
            if b'"PROCESS"' in piece:
                for model in models_in(lines(piece)):
                    found.setdefault(model.definition_key, model)
        return list(found.values())
