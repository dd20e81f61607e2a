"""CSV files."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Annotated, ClassVar

from ingest.source import Note
from ingest.sql import literal
from ingest.tables.columns import Column
from ingest.tables.csv_staging import Staged, stage
from ingest.tables.dialects import Dialect, dialect_of
from ingest.tables.event_tables import EventTable
from ingest.tables.table_file import TableFile
from ingest.tables.text_files import open_text
from ingest.workplace import Workplace


@dataclass(frozen=True)
class CsvFile(TableFile):
    """A table in a text file with delimiters: CSV, TSV and the like, compressed or not."""

    name: ClassVar[str] = "csv"

    delimiter: Annotated[str | None, "what stands between columns; 'tab' for a tab"] = None
    quote: Annotated[str | None, "what stands around values; 'none' for nothing"] = None
    encoding: Annotated[str | None, "encoding of the text, like windows-1252"] = None

    def open_table(self, workplace: Workplace) -> tuple[EventTable, list[Note]]:
        """The table of the file; LogFormatError if it is no such file or holds no events."""
        text = open_text(self.path, workplace.folder, self.encoding)
        dialect = dialect_of(text.sample, self.path, self.delimiter, self.quote)
        columns, notes = _columns(dialect)
        staged = stage(text, dialect, len(columns), self.path, workplace)
        table = EventTable(
            relation=f"(select rowid + 1 as row_number, * from {staged.rows}) as line",
            columns=columns,
            position="row_number",
            record=_record(columns, dialect),
            broken=_zero_bytes(columns) if staged.text.survey.nuls else None,
            rejected=_rejected(staged),
        )
        return table, [*staged.text.notes, *dialect.notes, *notes]


def _columns(dialect: Dialect) -> tuple[tuple[Column, ...], list[Note]]:
    """The columns with names that differ: those given twice are numbered, empty ones made up."""
    counts = Counter(dialect.names)
    taken = set(dialect.names)
    seen: Counter[str] = Counter()
    columns = []
    for i, given in enumerate(dialect.names):
        seen[given] += 1
        name = given or f"column {i + 1}"
        number = seen[given]
        while number > 1 and name in taken:
            name = f"{given or 'column'}_{number}"
            number += 1
        taken.add(name)
        columns.append(Column(name, f"c{i}", repeated=counts[given] > 1 and given != ""))
    notes = []
    if again := sorted(name for name, count in counts.items() if count > 1 and name):
        shown = ", ".join(repr(name) for name in again)
        notes.append(Note("columns", f"several are named {shown}; later ones have a number added"))
    if unnamed := counts[""]:
        notes.append(Note("columns", f"{unnamed} without a name, called by their place"))
    return tuple(columns), notes


def _record(columns: tuple[Column, ...], dialect: Dialect) -> str:
    """SQL for a row as it stands in the file, or would with the same dialect."""
    delimiter, quote = literal(dialect.delimiter), literal(dialect.quote)
    doubled = literal(dialect.escape + dialect.quote)
    special = [dialect.delimiter, dialect.quote, "\n", "\r"]
    fields = []
    for column in columns:
        value = column.sql
        if dialect.quote:
            has = " or ".join(f"contains({value}, {literal(each)})" for each in special)
            quoted = f"{quote} || replace({value}, {quote}, {doubled}) || {quote}"
            value = f"case when {has} then {quoted} else {value} end"
        fields.append(f"coalesce({value}, '')")
    return "concat_ws(" + ", ".join([delimiter, *fields]) + ")"


def _zero_bytes(columns: tuple[Column, ...]) -> str:
    found = " or ".join(f"coalesce(contains({column.sql}, chr(0)), false)" for column in columns)
    return f"case when {found} then 'a zero byte in a value' end"


def _rejected(staged: Staged) -> str | None:
    if not staged.rejections:
        return None
    return f"select reason, record from {staged.rejected} order by byte"
