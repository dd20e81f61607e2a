"""Names with quotes, newlines, control characters and code in them are names and nothing more."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from tests.commands import GOOD, answer, load, refused, run, write

HOSTILE = (
    'O\'Neil; drop table "case"; --',
    "'; copy (select 1) to '/tmp/owned' --",
    "\"quoted\" 'twice'",
    "two\nlines\r\nand three",
    "tab\tbell\x07escape\x1b[31m",
    '=HYPERLINK("http://example.com")',
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "{braces} $1 $value %s ${x}",
    "\u202eright to left\u200b",
    "a > b -> c",
    "ünï\u0301cödé 好 🙂",
    "C" * 5000,
)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store where cases, activities, resources and attributes have hostile names."""
    folder = tmp_path_factory.mktemp("hostile")
    lines = [
        {
            "case_id": case,
            "activity": name,
            "timestamp": f"2026-01-05T08:{minute:02}:00Z",
            "resource": name,
            name[:50]: name,
        }
        for case in HOSTILE
        for minute, name in enumerate(HOSTILE)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    row = load(folder, text, name="log.jsonl", source="jsonl")
    assert row["new"] == len(HOSTILE) ** 2
    return folder


def test_hostile_names_come_back_as_they_are(hostile: Path) -> None:
    (variant,) = answer(hostile, "variants", "p")
    assert tuple(variant["activities"]) == HOSTILE
    assert {row["case_id"] for row in answer(hostile, "cases", "p")} == set(HOSTILE)
    for name in HOSTILE:
        found = answer(hostile, "case", "p", name)
        assert found["case_id"] == name
        assert tuple(event["activity"] for event in found["events"]) == HOSTILE
        assert tuple(event["resource"] for event in found["events"]) == HOSTILE


def test_hostile_names_in_a_csv_come_back_as_they_are(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"case_id": "c1", "activity": HOSTILE, "timestamp": "2026-01-05T08:00:00Z"}
    )
    load(tmp_path, frame.write_csv())
    (variant,) = answer(tmp_path, "variants", "p")
    assert tuple(variant["activities"]) == HOSTILE


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_can_be_filtered_by(hostile: Path, name: str) -> None:
    for flag in ("--activity", "--starts-with", "--resource", "--case"):
        found = answer(hostile, "summary", "p", flag, name)["cases"]
        first = len(HOSTILE) if name == HOSTILE[0] else 0
        assert found == {"--starts-with": first, "--case": 1}.get(flag, len(HOSTILE)), flag


def test_hostile_names_do_nothing(hostile: Path, tmp_path: Path) -> None:
    assert not Path("/tmp/owned").exists()
    assert {row["holds"] for row in answer(hostile, "verify")} == {True}
    for ending in (".html", ".xes", ".csv", ".parquet"):
        answer(hostile, "report" if ending == ".html" else "export", "p", "--out",
               str(tmp_path / f"out{ending}"))  # fmt: skip
    text = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "<script" not in text and "<img" not in text
    answer(hostile, "map", "p", "--out", str(tmp_path / "map.html"))
    drawn = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert "<script>alert(1)" not in drawn and "<img src=x" not in drawn


@pytest.mark.parametrize("form", ["table", "csv"])
def test_hostile_names_do_not_reach_the_terminal(hostile: Path, form: str) -> None:
    result = run(hostile, "variants", "p", "--format", form)
    assert result.exit_code == 0
    if form == "table":
        assert "\x1b" not in result.stdout and "\x07" not in result.stdout
        assert len(result.stdout.splitlines()) == 3


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\x00b", "\x1b[31m", "x" * 201])
def test_a_name_no_process_can_have(tmp_path: Path, name: str) -> None:
    said = refused(tmp_path, write(tmp_path, GOOD), process=name)
    assert "cannot be the name of a process" in said
    assert "\x1b" not in said


@pytest.mark.parametrize("name", ["o'neil\"; drop table event; --", "好 process", "../../etc"])
def test_a_strange_name_is_only_a_name(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, GOOD)
    row = answer(tmp_path, "load", "csv", path, "--process", name)
    assert (row["process"], row["new"]) == (name, 3)
    assert answer(tmp_path, "summary", name)["process"] == name
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["log.csv", "store"]
