"""How far a table was read: the last value of a column that grows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from miner.errors import InputError

OVERLAP_SECONDS = 600
OVERLAP_NUMBERS = 1000
"""How far before the last value reading begins again, for rows that were committed late."""

KINDS: dict[str, Callable[[str], Any]] = {
    "time": datetime.fromisoformat,
    "date": date.fromisoformat,
    "number": int,
    "text": str,
}


@dataclass(frozen=True)
class Position:
    """The greatest value that was read, and whose rows may not have been there yet."""

    kind: str
    """One of `KINDS`."""
    value: str
    running: int | None = None
    """The oldest transaction that had not ended; null where a database does not tell."""

    @classmethod
    def from_json(cls, cursor: Any) -> Position | None:
        """What `to_json` gave; None if nothing was read yet."""
        return cls(**cursor) if isinstance(cursor, dict) else None

    @classmethod
    def after(
        cls, read: pl.Series, before: Position | None, running: int | None
    ) -> Position | None:
        """The position after these values, which is never before the one it was."""
        greatest: Any = read.max()
        if greatest is None:
            return before and replace(before, running=running)
        kind, value = _written(greatest, read.name)
        found = cls(kind, value, running)
        if before and before.kind == kind and before._read() > found._read():
            return replace(before, running=running)
        return found

    def with_running(self, running: int | None) -> Position:
        """The same position with another oldest transaction."""
        return replace(self, running=running)

    def start(self, overlap: float | None) -> Any:
        """The value to begin with: a time, a number or a text."""
        value = self._read()
        if self.kind == "number":
            return value - int(OVERLAP_NUMBERS if overlap is None else overlap)
        if self.kind in ("time", "date"):
            seconds = timedelta(seconds=OVERLAP_SECONDS if overlap is None else overlap)
            return (
                value - max(seconds, timedelta(days=1)) if self.kind == "date" else value - seconds
            )
        return value

    def to_json(self) -> dict[str, Any]:
        """A JSON value for the store."""
        return {"kind": self.kind, "value": self.value, "running": self.running}

    def _read(self) -> Any:
        return KINDS[self.kind](self.value)


def _written(value: Any, column: str) -> tuple[str, str]:
    if isinstance(value, datetime):
        at = value.astimezone(UTC) if value.tzinfo else value
        return "time", at.isoformat()
    if isinstance(value, date):
        return "date", value.isoformat()
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "number", str(int(value))
    if isinstance(value, str):
        return "text", value
    raise InputError(
        f"Column {column!r} holds {type(value).__name__} values, which say nothing about order.",
        hint="Name a column of times, whole numbers or texts that sort.",
    )
