"""One writer at a time; everybody else reads the last whole state and never waits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl
import pytest

from benchmarks import kills
from miner.errors import StoreError, StoreLockedError, UnknownNameError
from miner.eventlog import invariants, loads, staging
from miner.eventlog.store import EventStore
from miner.eventlog.writer import Writer
from tests.eventlog.damage import ROOT
from tests.logs import events_of

SLOWEST_READ = 5.0
"""Seconds in which a reader must have its answer, also while the machine is busy."""


@pytest.fixture
def store(tmp_path: Path) -> EventStore:
    return EventStore(tmp_path / "store")


def load(store: EventStore, events: pl.DataFrame, process: str = "p") -> None:
    with store.write() as writer:
        writer.append(events, source="test", process=process)


def traces(first: int, cases: int) -> pl.DataFrame:
    return events_of({f"c{number}": "A@0-5 B@7-9" for number in range(first, first + cases)})


def answer(connection: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """Events and cases, when all invariants hold of what is seen."""
    found = invariants.findings(connection, invariants.QUICK | invariants.THOROUGH)
    assert [finding.statement for finding in found if not finding.holds] == []
    ((events, cases),) = connection.execute(
        'select (select count(*) from event), (select count(*) from "case")'
    ).fetchall()
    return events, cases


def test_an_empty_folder_has_no_events_and_says_how_to_bring_some_in(store: EventStore) -> None:
    assert not store.exists
    with pytest.raises(StoreError, match=r"There are no events in .* yet") as raised:
        store.read()
    assert "procession load" in raised.value.hint
    assert not store.folder.exists()


def test_what_was_loaded_can_be_read(store: EventStore) -> None:
    load(store, traces(0, 3))
    assert store.exists
    assert answer(store.read()) == (12, 3)
    assert store.log("p").process == "p"


def test_an_unknown_process_is_named_with_the_nearest_one(store: EventStore) -> None:
    load(store, traces(0, 1), process="orders")
    with pytest.raises(UnknownNameError, match="no process named 'order'") as raised:
        store.log("order")
    assert "'orders'" in raised.value.hint


def test_processes_share_a_store_and_not_their_events(store: EventStore) -> None:
    load(store, traces(0, 1), process="orders")
    load(store, traces(0, 2), process="claims")
    assert store.log("orders").row('select count(*) as n from "case"')["n"] == 1
    assert store.log("claims").row("select count(*) as n from recorded_event")["n"] == 8


def test_a_load_that_fails_changes_nothing_that_anybody_sees(store: EventStore) -> None:
    load(store, traces(0, 1))
    before = store.snapshot()
    with pytest.raises(StoreError), store.write() as writer:
        writer.load("select nothing from nowhere", source="test", process="p")
    assert store.snapshot() == before
    load(store, traces(1, 1))
    assert answer(store.read()) == (8, 2)


def test_a_writer_that_changed_nothing_publishes_nothing(store: EventStore) -> None:
    load(store, traces(0, 1))
    before = store.snapshot()
    with store.write():
        pass
    assert store.snapshot() == before


def test_an_interrupted_load_is_published_neither_in_half_nor_in_the_way_of_others(
    store: EventStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    load(store, traces(0, 1))
    traces(1, 1).write_parquet(tmp_path / "events.parquet")
    with monkeypatch.context() as interrupted, pytest.raises(KeyboardInterrupt):
        interrupted.setattr(loads, "finish", interrupt)
        kills.load(store.folder, tmp_path / "events.parquet")
    with store.write():
        pass
    assert answer(store.read()) == (4, 1)
    with monkeypatch.context() as interrupted, pytest.raises(KeyboardInterrupt):
        interrupted.setattr(Writer, "publish", interrupt)
        load(store, traces(2, 1))
    assert answer(store.read()) == (4, 1)
    with store.write():
        pass
    assert answer(store.read()) == (12, 3)


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_reader_keeps_its_version_until_it_reads_anew(store: EventStore) -> None:
    load(store, traces(0, 1))
    reader = store.read()
    for number in range(1, 6):
        load(store, traces(number, 1))
    assert answer(reader) == (4, 1)
    assert answer(store.read()) == (24, 6)


def test_many_logs_of_one_store_can_be_open_at_once(store: EventStore) -> None:
    load(store, traces(0, 2))
    logs = [store.log("p") for _ in range(5)]
    copies = [log.copy() for log in logs]
    with ThreadPoolExecutor(5) as threads:
        found = threads.map(lambda log: log.row('select count(*) as n from "case"')["n"], copies)
    assert list(found) == [2] * 5


_READER = """
import sys, time
from pathlib import Path
from miner.eventlog.store import EventStore
from tests.eventlog.test_store import answer
store, slowest, seen = EventStore(Path(sys.argv[1])), 0.0, set()
print("ready", flush=True)
until = time.monotonic() + float(sys.argv[2])
while time.monotonic() < until:
    started = time.monotonic()
    connection = store.read()
    seen.add(answer(connection))
    connection.close()
    slowest = max(slowest, time.monotonic() - started)
print(slowest, *(f"{events}/{cases}" for events, cases in sorted(seen)))
"""


def test_readers_in_threads_and_processes_see_whole_states_only_and_never_wait(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "BATCH_EVENTS", 40)
    load(store, traces(0, 10))
    whole = {(40 * number, 10 * number) for number in range(1, 6)}
    ended = threading.Event()

    def read() -> tuple[set[tuple[int, int]], float]:
        seen, slowest = set(), 0.0
        while not ended.is_set():
            started = time.monotonic()
            connection = store.read()
            seen.add(answer(connection))
            connection.close()
            slowest = max(slowest, time.monotonic() - started)
        return seen, slowest

    with _reader(store, seconds=4) as process, ThreadPoolExecutor(2) as threads:
        readers = [threads.submit(read) for _ in range(2)]
        try:
            for number in range(2, 6):
                load(store, traces(0, 10 * number))
        finally:
            ended.set()
        for reader in readers:
            seen, slowest = reader.result()
            assert seen <= whole
            assert slowest < SLOWEST_READ
        output, _ = process.communicate(timeout=60)
    longest, *states = output.split()
    assert float(longest) < SLOWEST_READ
    assert {tuple(map(int, state.split("/"))) for state in states} <= whole


@contextmanager
def _reader(store: EventStore, seconds: float) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", _READER, str(store.folder), str(seconds)],
        stdout=subprocess.PIPE, text=True, cwd=ROOT,
    ) as process:  # fmt: skip
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process


_WRITER = """
import sys
from pathlib import Path
from miner.eventlog.store import EventStore
with EventStore(Path(sys.argv[1])).write():
    print("writing", flush=True)
    sys.stdin.read()
"""


@contextmanager
def _writer(store: EventStore) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(store.folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    ) as process:  # fmt: skip
        assert process.stdout
        assert process.stdout.readline() == "writing\n"
        yield process


def test_a_second_writer_waits_visibly_and_then_gives_up(store: EventStore) -> None:
    load(store, traces(0, 1))
    waited: list[float] = []
    with _writer(store) as other:
        started = time.monotonic()
        with (
            pytest.raises(StoreLockedError, match=f"written by process {other.pid}") as raised,
            store.write(wait=0.7, on_wait=waited.append),
        ):
            pass
        assert 0.6 < time.monotonic() - started < 5
        assert "Wait for it" in raised.value.hint
        assert len(waited) >= 3
        assert waited == sorted(waited)
        assert answer(store.read()) == (4, 1)


def test_the_second_writer_gets_its_turn_when_the_first_is_done(store: EventStore) -> None:
    with _writer(store) as other:
        assert other.stdin
        threading.Timer(0.5, other.stdin.close).start()
        with store.write(wait=30) as writer:
            writer.append(traces(0, 1), source="test", process="p")
    assert answer(store.read()) == (4, 1)


def test_a_killed_writer_locks_nobody_out(store: EventStore) -> None:
    with _writer(store) as other:
        os.kill(other.pid, signal.SIGKILL)
        other.wait(10)
        with store.write(wait=0) as writer:
            writer.append(traces(0, 1), source="test", process="p")
    assert answer(store.read()) == (4, 1)


def test_a_second_writer_in_another_thread_waits_too(store: EventStore) -> None:
    with store.write(), pytest.raises(StoreLockedError), store.write(wait=0):
        pass


def test_a_store_of_another_format_is_refused(store: EventStore) -> None:
    load(store, traces(0, 1))
    connection = duckdb.connect(store.folder / "store.duckdb")
    connection.execute("update format set version = 99")
    connection.close()
    with pytest.raises(StoreError, match="has format 99"), store.write():
        pass
    assert answer(store.read()) == (4, 1)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be made") as raised:
        load(EventStore(tmp_path / "file" / "store"), traces(0, 1))
    assert "--store" in raised.value.hint


def test_a_file_that_is_no_store_is_kept_and_never_written_over(store: EventStore) -> None:
    store.folder.mkdir()
    connection = duckdb.connect(store.folder / "store.duckdb")
    connection.execute("create table precious as select 1")
    connection.close()
    told: list[str] = []
    with store.write(on_repair=told.append) as writer:
        writer.append(traces(0, 1), source="test", process="p")
    (kept,) = store.folder.glob("store.duckdb.bad-*")
    assert kept.name in told[0]
    connection = duckdb.connect(kept, read_only=True)
    assert connection.execute("from precious").fetchall() == [(1,)]
    connection.close()
