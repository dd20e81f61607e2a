"""`procession sync`: configured sources, read again and again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ingest import sync
from ingest.sources.csv import CsvFile
from ingest.sync import Configured, Synced, configured, rounds
from miner.errors import InputError, SourceUnavailableError, UnknownNameError
from miner.eventlog.definitions import Limitation
from miner.eventlog.merge import Counts
from miner.eventlog.store import EventStore
from miner.eventlog.writer import Loaded
from miner.settings import settings
from tests.commands import run

LOG = "case,activity,timestamp\nc1,Create,2026-03-02T08:00:00Z\nc1,Pay,2026-03-02T09:00:00Z\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "log.csv"
    file.write_text(LOG, encoding="utf-8")
    return file


def test_the_configured_sources_are_read_and_then_nothing_is_new(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("procession.toml").write_text(
        f'[sources.orders]\nsource = "csv"\npath = "{log}"\n', encoding="utf-8"
    )
    settings.cache_clear()
    first = run(tmp_path, "sync")
    assert first.exit_code == 0, first.stderr
    (row,) = json.loads(first.stdout)
    assert (row["name"], row["process"], row["new"]) == ("orders", "orders", 2)
    (again,) = json.loads(run(tmp_path, "sync", "orders").stdout)
    assert (again["new"], again["duplicate"]) == (0, 2)
    unknown = run(tmp_path, "sync", "order")
    assert unknown.exit_code == 2 and "Did you mean 'orders'?" in unknown.stderr


@pytest.mark.parametrize(
    ("table", "error", "says"),
    [
        ({}, InputError, "does not say which source"),
        ({"source": "cvs"}, UnknownNameError, "Did you mean 'csv'?"),
        ({"source": "csv"}, InputError, "lacks 'path'"),
        ({"source": "csv", "path": "x", "caze": "y"}, UnknownNameError, "Did you mean 'case'?"),
        ({"source": "csv", "path": 7}, InputError, "cannot be 7"),
    ],
)
def test_mistakes_in_the_configuration_are_said(
    table: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error) as caught:
        configured({"orders": table})
    assert says in str(caught.value)


def test_a_round_without_sources_says_how_to_add_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()
    done = run(tmp_path, "sync")
    assert done.exit_code == 2 and "[sources.orders]" in done.stderr


def test_a_source_that_is_away_is_left_alone_longer_each_time_and_others_go_on(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = Configured("good", "good", CsvFile(path=str(log)))
    away = Configured("away", "away", CsvFile(path=str(log)))
    clock = [0.0]

    def load(source: Any, store: EventStore, *, process: str) -> Any:
        if process == "away":
            raise SourceUnavailableError("It is away.")
        return None

    monkeypatch.setattr(sync, "load", load)
    monkeypatch.setattr(sync.time, "monotonic", lambda: clock[0])

    def wait(seconds: float) -> None:
        clock[0] += max(seconds, 1.0)

    tried: dict[str, list[float]] = {"good": [], "away": []}
    store = EventStore(tmp_path / "s")
    for synced in rounds([good, away], store, every=1, until=lambda: clock[0] > 60, wait=wait):
        tried[synced.name].append(clock[0])
    assert len(tried["good"]) > 50
    gaps = [b - a for a, b in zip(tried["away"], tried["away"][1:], strict=False)]
    assert 3 <= len(tried["away"]) <= 8 and gaps[-1] > 2 * gaps[0]


def test_what_a_source_could_not_tell_is_said_once_even_if_there_is_nothing_to_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = Limitation("rights", "No case may be read.", ("cases",))
    nothing = Loaded("csv", "orders", Counts(), 0, 0.0, None, {}, limitations=(blind,))
    twice = [Synced("orders", nothing, None)] * 2
    monkeypatch.setattr(sync, "rounds", lambda *_given, **_options: iter(twice))
    monkeypatch.chdir(tmp_path)
    Path("procession.toml").write_text(
        '[sources.orders]\nsource = "csv"\npath = "log.csv"\n', encoding="utf-8"
    )
    settings.cache_clear()
    done = run(tmp_path, "sync")
    assert done.exit_code == 0, done.stderr
    assert done.stderr.count("rights: No case may be read. Touches cases.") == 1
    for row in json.loads(done.stdout):
        (told,) = row["limitations"]
        assert told["text"] == "No case may be read."
