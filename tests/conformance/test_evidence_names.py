"""Names that are formulas, markup or paths are names and nothing more in a pack."""

from __future__ import annotations

import json
import re
from pathlib import Path

import polars as pl

from miner.eventlog.store import EventStore
from tests.commands import load
from tests.conformance.models import sequence
from tests.conformance.test_evidence import evidence
from tests.conformance.test_versions import definition
from tests.logs import events_of
from tests.test_hostile_names import HOSTILE


def test_hostile_names_are_names_and_no_formulas(tmp_path: Path) -> None:
    lines = [
        {"case_id": case, "activity": name, "timestamp": f"2026-01-05T08:{minute:02}:00Z",
         "resource": name, "process_version": HOSTILE[0]}
        for case in HOSTILE for minute, name in enumerate(HOSTILE)
    ]  # fmt: skip
    load(tmp_path, "".join(json.dumps(line) + "\n" for line in lines), name="log.jsonl",
         source="jsonl")  # fmt: skip
    (tmp_path / "m.tree").write_text("->( 'start', 'tab' )")
    options = ("--model", str(tmp_path / "m.tree"), "--sample", "50", "--title", HOSTILE[6])
    found = evidence(tmp_path, "p", *options)
    assert {row["case_id"].removeprefix("'") for row in found.rows("population.csv")} == set(
        HOSTILE
    )
    for name in ("population", "exceptions", "alignments", "sample", "sample_events"):
        rows = found.rows(f"{name}.csv")
        assert len(rows) >= len(HOSTILE)
        cells = {cell for row in rows for cell in row.values()}
        assert not [cell for cell in cells if re.match(r"[=+@\t\r\n-]", cell)
                    and not re.fullmatch(r"-?[\d.]+", cell)]  # fmt: skip
    page = found.files["report.html"].decode()
    assert "<script" not in page and "<img" not in page and "\x1b" not in page
    assert all(re.fullmatch(r"[\w./-]+", name) for name in found.files)


def test_a_version_with_a_hostile_name_names_no_file(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "store")
    with store.write() as writer:
        frame = events_of({"c": "a@0"}).with_columns(process_version=pl.lit("../../etc\n=1"))
        writer.append(frame, source="s", process="p")
        writer.define([definition(sequence("a"), "../../etc\n=1")], source="s", process="p")
    found = evidence(tmp_path, "p")
    assert "model/001-etc-1.bpmn" in found.files
    assert found.rows("population.csv")[0]["version"] == "../../etc\n=1"
