"""What opening a file makes on a connection and on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import duckdb


@dataclass
class Workplace:
    """What opening a file makes on a connection and on disk, to be removed afterwards."""

    connection: duckdb.DuckDBPyConnection
    folder: Path
    tag: str = field(default_factory=lambda: uuid4().hex[:12])
    tables: list[str] = field(default_factory=list)
    """Their names have the tag in them, which nobody else on the connection uses."""

    def table(self, purpose: str) -> str:
        """The name of a temporary table that is dropped in the end."""
        self.tables.append(f"{purpose}_{self.tag}_{len(self.tables)}")
        return self.tables[-1]

    def clear(self) -> None:
        """Drop the tables."""
        for table in self.tables:
            self.connection.execute(f"drop table if exists {table}")
