"""A stranger's package adds a source by an entry point: installed, it is one like any other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

SOURCE = '''
"""Bakery orders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar

import polars as pl

from ingest.source import Secret, Source


@dataclass(frozen=True)
class Bakery(Source):
    """Orders of a bakery: a case per loaf."""

    name: ClassVar[str] = "bakery"

    loaves: Annotated[int, "how many loaves it bakes"]
    token: Annotated[Secret, "key to the bakery"]

    def read(self, since: datetime | None = None) -> Iterator[pl.DataFrame]:
        assert self.token == "flour"
        steps = ["Knead", "Bake", "Sell"]
        yield pl.DataFrame(
            [
                (f"{loaf}-{step}", f"loaf {loaf}", steps[step], datetime(2026, 3, 2, 8, step))
                for loaf in range(self.loaves)
                for step in range(3)
            ],
            schema=["event_id", "case_id", "activity", "timestamp"],
            orient="row",
        )
'''
ENTRY = "[procession.sources]\nbakery = bakery:Bakery\n"
METADATA = "Metadata-Version: 2.1\nName: bakery\nVersion: 1.0\n"


def procession(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "miner", *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "PROCESSION_BAKERY_TOKEN": "flour"},
    )


def test_a_strangers_package_adds_a_source(tmp_path: Path) -> None:
    (tmp_path / "bakery.py").write_text(SOURCE, encoding="utf-8")
    info = tmp_path / "bakery-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA, encoding="utf-8")
    (info / "entry_points.txt").write_text(ENTRY, encoding="utf-8")
    assert len(SOURCE.splitlines()) < 60

    listed = procession(tmp_path, "sources", "--format", "json")
    assert {"source": "bakery", "reads": "Orders of a bakery: a case per loaf."} in json.loads(
        listed.stdout
    )
    help_text = procession(tmp_path, "load", "bakery", "--help").stdout
    assert "--loaves" in help_text and "PROCESSION_BAKERY_TOKEN" in help_text
    assert "flour" not in help_text

    dry = procession(tmp_path, "load", "bakery", "--loaves", "2", "--dry-run")
    assert [row["activity"] for row in json.loads(dry.stdout)][:3] == ["Knead", "Bake", "Sell"]
    assert not (tmp_path / "procession-store").exists()

    loaded = procession(tmp_path, "load", "bakery", "--loaves", "2")
    assert loaded.returncode == 0, loaded.stderr
    assert json.loads(loaded.stdout)["new"] == 6
    again = json.loads(procession(tmp_path, "load", "bakery", "--loaves", "2").stdout)
    assert (again["new"], again["duplicate"]) == (0, 6)
    assert b"flour" not in b"".join(
        path.read_bytes() for path in (tmp_path / "procession-store").rglob("*") if path.is_file()
    )
