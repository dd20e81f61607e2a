"""What runs on a real server deviate in from the version they ran on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.commands import answer


def matrix(folder: Path, process: str) -> list[tuple[str, str, str, int]]:
    """Version, activity, kind and cases of each deviation, in order."""
    rows = answer(folder, "conform", process, "--by-version")
    return sorted((row["version"], row["activity"], row["kind"], row["cases"]) for row in rows)


def judged(folder: Path, process: str) -> dict[str, Any]:
    """How many cases were held against a model, how many conform to it, and how many were not."""
    found = answer(folder, "conform", process)
    names = ("cases", "conforming_cases", "open_cases", "unmodelled_cases", "unaligned_cases")
    return {name: found[name] for name in names}
