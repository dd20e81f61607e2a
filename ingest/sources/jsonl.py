"""JSON lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import duckdb

from ingest.mapping import Mapping
from ingest.source import Note
from ingest.tables.event_tables import EventTable
from ingest.tables.json_lines import BROKEN, JsonTable, json_table, stage_lines
from ingest.tables.table_file import ROLES, TableFile
from ingest.tables.text_files import open_text
from ingest.workplace import Workplace
from miner.errors import LogFormatError


@dataclass(frozen=True)
class JsonLinesFile(TableFile):
    """JSON lines: one object per line and event; `a.b` names the field `b` inside `a`."""

    name: ClassVar[str] = "jsonl"

    encoding: Annotated[str | None, "encoding of the text, UTF-8 if none is given"] = None

    def open_table(self, workplace: Workplace) -> tuple[EventTable, list[Note]]:
        """The table of the file; LogFormatError if it is no such file or holds no events."""
        text = open_text(self.path, workplace.folder, self.encoding)
        if text.sample.lstrip().startswith("["):
            raise LogFormatError(
                f"{self.path!r} is one JSON array, not one object per line.",
                hint="Turn it into lines, for example with: jq -c '.[]' FILE",
            )
        text, lines, rejected = stage_lines(text, self.path, workplace)
        given = [name for role in ROLES if (name := getattr(self, role)) is not None]
        return json_table(workplace.connection, lines, rejected, given), list(text.notes)

    def mapped(
        self, table: EventTable, mapping: Mapping, connection: duckdb.DuckDBPyConnection
    ) -> str:
        """A SELECT of the events that the objects become by a mapping."""
        assert isinstance(table, JsonTable)
        return mapping.select_lines(
            f"(select line, rowid + 1 as row_number from {table.lines}) as numbered",
            "line",
            connection=connection,
            position="row_number",
            broken=BROKEN,
            timezone=self.timezone,
        )
