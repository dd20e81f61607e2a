"""CSV files."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import duckdb

from ingest.columns import Column
from ingest.dialects import Dialect, dialect_of
from ingest.event_tables import EventTable
from ingest.source import Note
from ingest.sql import literal
from ingest.table_file import TableFile, Workplace
from ingest.text_files import TextFile, open_text, with_plain_line_ends, without_head
from miner.errors import LogFormatError

LONGEST_RECORD = 2_000_000
LONGEST_SWALLOW = 1 << 16
"""A rejected record of several lines and more bytes than this has swallowed others."""

REASONS = {
    "MISSING COLUMNS": "too few fields",
    "TOO MANY COLUMNS": "too many fields",
    "UNQUOTED VALUE": "a quote that is not closed, or text after a closing quote",
    "LINE SIZE OVER MAXIMUM": f"longer than {LONGEST_RECORD:,} bytes",
    "INVALID ENCODING": "not in the encoding of the file",
}


@dataclass(frozen=True)
class CsvFile(TableFile):
    """A table in a text file with delimiters: CSV, TSV and the like, compressed or not."""

    name: ClassVar[str] = "csv"

    delimiter: Annotated[str | None, "what stands between columns; 'tab' for a tab"] = None
    quote: Annotated[str | None, "what stands around values that hold a delimiter"] = None
    encoding: Annotated[str | None, "encoding of the text, like windows-1252"] = None

    def open_table(self, workplace: Workplace) -> tuple[EventTable, list[Note]]:
        text = open_text(self.path, workplace.folder, self.encoding)
        dialect = dialect_of(text.sample, self.path, self.delimiter, self.quote)
        columns, notes = _columns(dialect)
        staged = _Staging(self.path, workplace, dialect, len(columns))
        staged.read(text)
        rejected = f"select reason, record from {staged.rejected} order by byte"
        return EventTable(
            relation=staged.rows,
            columns=columns,
            position="rowid + 1",
            record=_record(columns, dialect),
            broken=_zero_bytes(columns) if text.survey.nuls else None,
            rejected=rejected if staged.rejections else None,
        ), [*staged.notes, *dialect.notes, *notes]
