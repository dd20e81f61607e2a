"""Parquet files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import duckdb

from ingest.source import Note
from ingest.sql import identifier
from ingest.tables.columns import Column
from ingest.tables.event_tables import EventTable, json_object
from ingest.tables.table_file import TableFile
from ingest.tables.text_files import existing_file, path_in_sql
from ingest.workplace import Workplace
from miner.errors import LogFormatError


@dataclass(frozen=True)
class ParquetFile(TableFile):
    """A table in a Parquet file."""

    name: ClassVar[str] = "parquet"

    def open_table(self, workplace: Workplace) -> tuple[EventTable, list[Note]]:
        """The table of the file; LogFormatError if it is no such file or holds no events."""
        path = existing_file(self.path)
        source = f"read_parquet({path_in_sql(path, workplace.folder)}, hive_partitioning = false"
        described, rows = self._described(workplace.connection, source)
        columns = tuple(
            # Writers without a type for text leave bytes behind.
            Column(name, f"c{i}", "VARCHAR" if kind == "BLOB" else kind)
            for i, (name, kind) in enumerate(described)
        )
        if len(columns) < 3 or not rows:
            what = "has no rows" if not rows else f"has {len(columns)} columns and needs three"
            raise LogFormatError(f"{self.path!r} {what}.", hint="It holds no events.")
        values = ", ".join(
            f"{_value(name, kind)} as c{i}" for i, (name, kind) in enumerate(described)
        )
        table = EventTable(
            relation=f"(select {values}, file_row_number + 1 as row_number "
            f"from {source}, file_row_number = true)) as line",
            columns=columns,
            position="row_number",
            record=json_object((column.name, column) for column in columns) or "null",
        )
        return table, []

    def _described(
        self, connection: duckdb.DuckDBPyConnection, source: str
    ) -> tuple[list[tuple[str, str]], int]:
        """Names and types of the columns, and how many rows there are."""
        try:
            found = connection.sql(f"describe select * from {source})").fetchall()
            [(rows,)] = connection.sql(f"select count(*) from {source})").fetchall()
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise LogFormatError(
                f"{self.path!r} is not a whole Parquet file: {reason}",
                hint="Copy or export it again, or load it as what it is.",
            ) from None
        return [(name, kind) for name, kind, *_ in found], rows


def _value(name: str, kind: str) -> str:
    return f"try(decode({identifier(name)}))" if kind == "BLOB" else identifier(name)
