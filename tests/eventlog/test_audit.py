"""The audit trail shows what was done to it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from miner.eventlog import audit
from miner.eventlog.store import EventStore
from tests.logs import events_of


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    for number in range(5):
        audit.note(tmp_path, "load", number=number, file="Zürich\n.csv")
    return tmp_path / audit.FILE


def test_lines_follow_from_one_another(trail: Path) -> None:
    entries = [json.loads(line) for line in trail.read_text(encoding="utf-8").splitlines()]
    assert [entry["sequence"] for entry in entries] == [1, 2, 3, 4, 5]
    assert entries[0]["previous"] == ""
    assert entries[4]["number"] == 4
    assert all(entry["at"].endswith("+00:00") and entry["actor"] for entry in entries)
    assert audit.broken_at(trail.parent) is None


def test_an_empty_trail_is_unbroken(tmp_path: Path) -> None:
    assert audit.broken_at(tmp_path) is None


def test_an_edit_shows_at_the_line_after_it(trail: Path) -> None:
    trail.write_text(trail.read_text().replace('"number": 2', '"number": 7'))
    assert audit.broken_at(trail.parent) == 4


def test_a_deletion_shows_where_it_was(trail: Path) -> None:
    lines = trail.read_text().splitlines(keepends=True)
    trail.write_text("".join(lines[:1] + lines[2:]))
    assert audit.broken_at(trail.parent) == 2


def test_an_insertion_shows_where_it_is(trail: Path) -> None:
    lines = trail.read_text().splitlines(keepends=True)
    trail.write_text("".join([*lines[:2], lines[1], *lines[2:]]))
    assert audit.broken_at(trail.parent) == 3


def test_an_exchange_shows(trail: Path) -> None:
    lines = trail.read_text().splitlines(keepends=True)
    lines[2], lines[3] = lines[3], lines[2]
    trail.write_text("".join(lines))
    assert audit.broken_at(trail.parent) == 3


def test_a_line_overwritten_with_nonsense_shows(trail: Path) -> None:
    lines = trail.read_text().splitlines(keepends=True)
    trail.write_text("".join([*lines[:2], "x" * 30 + "\n", *lines[3:]]))
    assert audit.broken_at(trail.parent) == 4


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_a_line_that_an_interruption_cut_short_is_kept_and_followed(trail: Path, cut: int) -> None:
    trail.write_bytes(trail.read_bytes()[:-cut])
    assert audit.broken_at(trail.parent) is None
    audit.note(trail.parent, "recover")
    audit.note(trail.parent, "load")
    assert audit.broken_at(trail.parent) is None
    assert len(trail.read_text().splitlines()) == 7


def test_every_load_is_in_the_trail(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "store")
    with store.write() as writer:
        writer.append(events_of({"c1": "A@1"}), source="test", process="p")
    (entry,) = (json.loads(line) for line in (store.folder / audit.FILE).read_text().splitlines())
    assert (entry["action"], entry["source"], entry["read"], entry["new"]) == ("load", "test", 1, 1)
