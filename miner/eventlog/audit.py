"""The audit trail: who did what to the store, each line chained to the one before."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FILE = "audit.jsonl"


def note(store: Path, action: str, **details: Any) -> None:
    """Append one line; a line that an interruption cut short is ended and kept."""
    path = store / FILE
    lines = _lines(path)
    entry = {
        "sequence": len(lines) + 1,
        "at": datetime.now(UTC).isoformat(),
        "actor": actor(),
        "action": action,
        **details,
        "previous": _hash(lines[-1]) if lines else "",
    }
    torn = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
    with path.open("a", encoding="utf-8") as file:
        file.write(
            ("\n" if torn else "") + json.dumps(entry, ensure_ascii=False, default=str) + "\n"
        )
        file.flush()
        os.fsync(file.fileno())


def broken_at(store: Path) -> int | None:
    """The first line that does not follow from the one before; null when all do.

    A chain shows edits, insertions and deletions inside it; that lines are missing at its end shows
    only against a copy kept elsewhere.
    """
    lines = _lines(store / FILE)
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # cut short by an interruption; the next line is chained to it as it stands
        expected = _hash(lines[number - 2]) if number > 1 else ""
        if entry.get("previous") != expected or entry.get("sequence") != number:
            return number
    return None


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8", errors="replace")
    return [line for line in text.split("\n") if line]


def _hash(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()


def actor() -> str:
    """Who runs this program, as the operating system knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
