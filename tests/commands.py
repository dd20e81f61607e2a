"""Commands run in tests: what they answer, what a load counts, what they refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from miner.__main__ import main

GOOD = (
    "case_id,activity,timestamp\n"
    "c1,A,2026-01-05T08:00:00Z\n"
    "c1,B,2026-01-05T09:00:00Z\n"
    "c2,A,2026-01-06T08:00:00Z\n"
)
PARTS = ("new", "duplicate", "corrected", "unchanged", "rejected")


def run(folder: Path, *command: str) -> Result:
    return CliRunner().invoke(
        main, [*command, "--store", str(folder / "store")], catch_exceptions=False
    )


def answer(folder: Path, *command: str) -> Any:
    result = run(folder, *command)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def write(folder: Path, content: str | bytes, name: str = "log.csv") -> str:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def load(
    folder: Path, content: str | bytes, *options: str, name: str = "log.csv", source: str = "csv"
) -> dict[str, Any]:
    """The counts of a load, which add up and agree with what the store then holds."""
    path = write(folder, content, name)
    row: dict[str, Any] = answer(folder, "load", source, path, "--process", "p", *options)
    assert row["read"] == sum(row[part] for part in PARTS)
    assert answer(folder, "summary", "p")["events"] == row["new"]
    assert len(rejected(folder)) == row["rejected"]
    return row


def rejected(folder: Path) -> list[tuple[str, str]]:
    rows = answer(folder, "rejected", "--process", "p")
    return [(row["reason"], row["record"]) for row in rows]


def refused(folder: Path, path: str, *options: str, source: str = "csv", process: str = "p") -> str:
    """The one sentence, perhaps with a hint, that a load ends with; the store stays empty."""
    result = run(folder, "load", source, path, "--process", process, *options)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    said = result.stderr[result.stderr.index("procession: ") :]  # after progress and notes
    assert len(said.strip().splitlines()) <= 2, said
    assert run(folder, "summary", "p").exit_code in (2, 3)
    return said
