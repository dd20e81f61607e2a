from __future__ import annotations

import fcntl
import gzip
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from ingest.load import fingerprint_of, load
from ingest.source import Note
from ingest.sources.csv import CsvFile
from miner import EventLog, EventStore, directly_follows, summary
from miner.errors import InputError, StoreLockedError
from miner.eventlog.store import LOCK
from miner.eventlog.writer import Loaded

LOG = "case_id,activity,timestamp\nc1,A,2026-01-05T08:00:00Z\nc1,B,2026-01-05T09:00:00Z\n"


@pytest.fixture
def store(tmp_path: Path) -> EventStore:
    return EventStore(tmp_path / "store")


def file(folder: Path, text: str = LOG, name: str = "log.csv") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def counted(loaded: Loaded) -> dict[str, int]:
    loaded.counts.check()
    return {name: number for name, number in vars(loaded.counts).items() if number}


def test_the_first_time_everything_is_new(tmp_path: Path, store: EventStore) -> None:
    loaded = load(CsvFile(file(tmp_path)), store, process="p")
    assert (loaded.source, loaded.process, loaded.cases) == ("csv", "p", 1)
    assert counted(loaded) == {"read": 2, "new": 2}
    assert loaded.load_id is not None
    assert summary(store.log("p")).events == 2


def test_the_same_file_again_adds_nothing_and_publishes_nothing(
    tmp_path: Path, store: EventStore
) -> None:
    source = CsvFile(file(tmp_path, LOG + "c2,A,soon\n"))
    load(source, store, process="p")
    version = store.snapshot().version
    again = load(source, store, process="p")
    assert counted(again) == {"read": 3, "duplicate": 2, "rejected": 1}
    assert again.load_id is None
    assert store.snapshot().version == version


def test_the_same_rows_in_another_file_add_nothing(tmp_path: Path, store: EventStore) -> None:
    load(CsvFile(file(tmp_path)), store, process="p")
    (tmp_path / "log.csv.gz").write_bytes(gzip.compress(LOG.encode()))
    header, *rows = LOG.splitlines(keepends=True)
    for path in (
        str(tmp_path / "log.csv.gz"),
        file(tmp_path, header + "".join(rows[::-1]), "b.csv"),
    ):
        again = load(CsvFile(path), store, process="p")
        assert counted(again) == {"read": 2, "duplicate": 2}
    assert summary(store.log("p")).events == 2


def test_a_file_that_grew_adds_what_is_new(tmp_path: Path, store: EventStore) -> None:
    load(CsvFile(file(tmp_path)), store, process="p")
    more = LOG + "c1,C,2026-01-05T10:00:00Z\nc2,A,2026-01-06T08:00:00Z\n"
    grown = load(CsvFile(file(tmp_path, more)), store, process="p")
    assert counted(grown) == {"read": 4, "new": 2, "duplicate": 2}
    figures = summary(store.log("p"))
    assert (figures.cases, figures.events) == (2, 4)


def test_equal_rows_of_one_file_are_different_events(tmp_path: Path, store: EventStore) -> None:
    twice = LOG + "c1,A,2026-01-05T08:00:00Z\n"
    assert counted(load(CsvFile(file(tmp_path, twice)), store, process="p")) == {
        "read": 3,
        "new": 3,
    }
    again = load(CsvFile(file(tmp_path, twice + "c1,A,2026-01-05T08:00:00Z\n")), store, process="p")
    assert counted(again) == {"read": 4, "new": 1, "duplicate": 3}


def test_the_same_event_under_the_same_id_is_a_duplicate(tmp_path: Path, store: EventStore) -> None:
    text = (
        "event_id,case_id,activity,timestamp\n"
        "e1,c1,A,2026-01-05T08:00:00Z\n"
        "e2,c1,B,2026-01-05T09:00:00Z\n"
        "e1,c1,A,2026-01-05T08:00:00Z\n"
    )
    notes: list[Note] = []
    loaded = load(CsvFile(file(tmp_path, text)), store, process="p", tell_notes=notes.extend)
    assert counted(loaded) == {"read": 3, "new": 2, "duplicate": 1}
    assert any(note.subject == "event_id" and "again" in note.text for note in notes)


def test_a_process_is_apart_from_another(tmp_path: Path, store: EventStore) -> None:
    for process in ("p", "q"):
        assert counted(load(CsvFile(file(tmp_path)), store, process=process))["new"] == 2
    assert summary(store.log("q")).events == 2


def test_other_options_are_another_load(tmp_path: Path) -> None:
    path = file(tmp_path)
    assert fingerprint_of(CsvFile(path)) == fingerprint_of(CsvFile(path))
    assert fingerprint_of(CsvFile(path)) != fingerprint_of(CsvFile(path, timezone="UTC"))
    before = fingerprint_of(CsvFile(path))
    other = file(tmp_path, LOG, "other.csv")
    assert fingerprint_of(CsvFile(other)) == before  # what counts is the bytes
    file(tmp_path, LOG + "\n")
    assert fingerprint_of(CsvFile(path)) != before


def test_what_was_guessed_is_told_before_anything_is_loaded(
    tmp_path: Path, store: EventStore
) -> None:
    told: list[str] = []

    def tell(notes: Sequence[Note]) -> None:
        assert store.folder.exists()
        told.extend(note.subject for note in notes)
        with pytest.raises(Exception, match="no events"):
            store.snapshot()

    load(CsvFile(file(tmp_path)), store, process="p", tell_notes=tell)
    assert {"case", "activity", "timestamp"} <= set(told)


def test_progress_ends_with_everything_done(tmp_path: Path, store: EventStore) -> None:
    told: list[tuple[str, float]] = []
    load(
        CsvFile(file(tmp_path)),
        store,
        process="p",
        tell=lambda what, share: told.append((what, share)),
    )
    assert all(0 <= share <= 1 for _, share in told)
    assert told and told[-1][1] == 1


def test_a_copy_is_kept_only_when_asked_for(tmp_path: Path, store: EventStore) -> None:
    load(CsvFile(file(tmp_path)), store, process="p")
    landing = store.folder / "landing"
    assert not landing.exists() or not any(landing.rglob("*.*"))
    load(CsvFile(file(tmp_path, LOG + "\n")), store, process="p", keep=True)
    assert [entry for entry in landing.rglob("*") if entry.is_file()]


def test_another_writer_is_waited_for_within_bounds(tmp_path: Path, store: EventStore) -> None:
    load(CsvFile(file(tmp_path)), store, process="p")
    waited: list[float] = []
    with (store.folder / LOCK).open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with (
            pytest.raises(StoreLockedError, match="being written"),
            store.write(wait=0.3, on_wait=waited.append),
        ):
            pass
        assert summary(store.log("p")).events == 2  # readers never wait
    assert waited


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 300])
def test_a_name_no_process_can_have(name: str, tmp_path: Path, store: EventStore) -> None:
    with pytest.raises(InputError, match="cannot be the name of a process"):
        load(CsvFile(file(tmp_path)), store, process=name)
    assert not store.exists


def test_a_file_that_is_not_there_leaves_no_store(tmp_path: Path, store: EventStore) -> None:
    file(tmp_path, name="orders.csv")
    with pytest.raises(InputError, match=r"Did you mean .*orders\.csv"):
        load(CsvFile(str(tmp_path / "order.csv")), store, process="p")
    assert not store.folder.exists()


def test_what_cannot_be_opened_changes_nothing(tmp_path: Path, store: EventStore) -> None:
    load(CsvFile(file(tmp_path)), store, process="p")
    version = store.snapshot().version
    with pytest.raises(InputError):
        load(CsvFile(file(tmp_path, "", "empty.csv")), store, process="p")
    assert store.snapshot().version == version
    assert summary(store.log("p")).events == 2


def test_the_store_says_what_the_same_events_in_memory_say(
    tmp_path: Path, store: EventStore
) -> None:
    number = pl.int_range(50_000, eager=True)
    frame = pl.DataFrame(
        {
            "case_id": "c" + (number % 5_003).cast(pl.String),
            "activity": "A" + (number % 13).cast(pl.String),
            "timestamp": pl.from_epoch(1_767_600_000 + number * 7, time_unit="s"),
        }
    )
    frame.write_csv(tmp_path / "log.csv")
    load(CsvFile(str(tmp_path / "log.csv"), timezone="UTC"), store, process="log")
    events = frame.with_columns(pl.col("timestamp").cast(pl.Datetime("us")), position=number + 1)
    expected = EventLog.from_frame(events)
    assert directly_follows(store.log("log")).equals(directly_follows(expected))
    assert summary(store.log("log")) == summary(expected)
