"""Whatever happens to the bytes on the disk, nothing wrong is ever published."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from miner.errors import StoreError
from miner.eventlog import snapshots, staging
from miner.eventlog.store import EventStore
from miner.eventlog.verify import repair, verify
from tests.eventlog.damage import BATCH_EVENTS, Disturbed, contradictions, disturb, seen

MOMENTS = ("before the end", "before the log is written back")


@pytest.fixture(scope="module", params=MOMENTS)
def killed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Disturbed:
    return disturb(tmp_path_factory.mktemp("killed"), request.param)


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Disturbed:
    return disturb(tmp_path_factory.mktemp("interrupted"), MOMENTS[0])


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "BATCH_EVENTS", BATCH_EVENTS)


def flip(path: Path, position: int) -> None:
    """Turn one bit of a file around."""
    with path.open("r+b") as file:
        file.seek(position)
        (byte,) = file.read(1)
        file.seek(position)
        file.write(bytes([byte ^ 4]))


def test_a_killed_writer_leaves_a_log_and_readers_do_not_notice(
    killed: Disturbed, tmp_path: Path
) -> None:
    store = killed.copy(tmp_path / "store")
    assert store.log.stat().st_size > 0
    assert seen(store.folder) == store.old
    assert contradictions(EventStore(store.folder)) == []
    assert store.load_again() == store.new


def test_a_log_cut_off_anywhere_is_replayed_up_to_there(killed: Disturbed, tmp_path: Path) -> None:
    size = killed.log.stat().st_size
    for number in range(50):
        store = killed.copy(tmp_path / str(number))
        with store.log.open("r+b") as file:
            file.truncate(size * number // 50)
        assert contradictions(EventStore(store.folder)) == []
        assert seen(store.folder) in (store.old, store.new)
        if number % 10 == 0:
            assert store.load_again() == store.new


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_log_whose_end_is_zeroed_is_set_aside_and_kept(
    killed: Disturbed, tmp_path: Path, share: float
) -> None:
    store = killed.copy(tmp_path / "store")
    size = store.log.stat().st_size
    kept = int(size * share)
    with store.log.open("r+b") as file:
        file.truncate(kept)
        file.truncate(size)
    assert contradictions(EventStore(store.folder)) == []
    assert seen(store.folder) in (store.old, store.new)
    assert store.load_again() == store.new


def test_a_flipped_bit_in_the_log_never_reaches_readers(killed: Disturbed, tmp_path: Path) -> None:
    rng = random.Random(3)
    size = killed.log.stat().st_size
    for number in range(8):
        store = killed.copy(tmp_path / str(number))
        flip(store.log, rng.randrange(size))
        told: list[str] = []
        with EventStore(store.folder).write(on_repair=told.append):
            pass
        assert seen(store.folder) in (store.old, store.new)
        if told:
            assert "is kept as store.duckdb.wal.bad-" in told[0]
            assert list(store.folder.glob("store.duckdb.wal.bad-*"))
        assert store.load_again() == store.new


def test_a_flipped_bit_in_the_store_is_found_and_repaired(
    interrupted: Disturbed, tmp_path: Path
) -> None:
    rng = random.Random(4)
    size = (interrupted.folder / "store.duckdb").stat().st_size
    for number in range(10):
        store = interrupted.copy(tmp_path / str(number))
        # The first blocks hold the headers, of which the engine needs every one.
        position = rng.randrange(12288) if number < 4 else rng.randrange(size)
        flip(store.folder / "store.duckdb", position)
        _load_or_repair(store)
        assert store.load_again() == store.new
        assert [f for f in verify(EventStore(store.folder)) if not f.holds] == []


def _load_or_repair(store: Disturbed) -> None:
    """As a person would: run it again; if that is refused, repair."""
    try:
        store.load_again()
    except StoreError as error:
        assert error.hint
        assert seen(store.folder) == store.old
    repair(EventStore(store.folder))
    assert seen(store.folder) in (store.old, store.new)


@pytest.mark.parametrize("where", ["header", "anywhere", "cut"])
def test_a_damaged_snapshot_is_published_again(
    interrupted: Disturbed, tmp_path: Path, where: str
) -> None:
    store = interrupted.copy(tmp_path / "store")
    published = EventStore(store.folder).snapshot()
    path = published.path(store.folder)
    if where == "cut":
        with path.open("r+b") as file:
            file.truncate(published.bytes // 2)
    else:
        flip(path, 100 if where == "header" else published.bytes // 2)
    assert not all(finding.holds for finding in verify(EventStore(store.folder)))
    assert any("published again" in text for text in repair(EventStore(store.folder)))
    assert store.load_again() == store.new
    assert [finding for finding in verify(EventStore(store.folder)) if not finding.holds] == []


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 1}', "\0" * 200, None])
def test_a_lost_pointer_is_said_and_made_again(
    interrupted: Disturbed, tmp_path: Path, content: str | None
) -> None:
    store = interrupted.copy(tmp_path / "store")
    pointer = store.folder / snapshots.CURRENT
    pointer.unlink()
    if content is not None:
        pointer.write_text(content)
    with pytest.raises(StoreError, match=r"names no snapshot|no events in") as raised:
        EventStore(store.folder).read()
    assert raised.value.hint
    repair(EventStore(store.folder))
    assert EventStore(store.folder).read() is not None
    assert store.load_again() == store.new


def test_a_store_that_is_gone_comes_back_from_its_snapshot(
    interrupted: Disturbed, tmp_path: Path
) -> None:
    for number, lose in enumerate(_LOSSES):
        store = interrupted.copy(tmp_path / str(number))
        lose(store.folder)
        told: list[str] = []
        with EventStore(store.folder).write(on_repair=told.append):
            pass
        assert any("Went back to v1-" in text for text in told)
        assert seen(store.folder) == store.old
        assert store.load_again() == store.new


def _remove(*names: str) -> Callable[[Path], None]:
    def lose(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return lose


def _overwrite(content: bytes, *, without_log: bool = False) -> Callable[[Path], None]:
    def lose(folder: Path) -> None:
        (folder / "store.duckdb").write_bytes(content)
        if without_log:
            (folder / "store.duckdb.wal").unlink()

    return lose


_LOSSES = (
    _remove("store.duckdb"),
    _remove("store.duckdb", "store.duckdb.wal"),
    _overwrite(b""),
    _overwrite(b"no database" * 1000),
    _overwrite(b"\0" * 99_999, without_log=True),
)


def test_without_any_whole_snapshot_the_store_starts_empty_and_says_so(
    interrupted: Disturbed, tmp_path: Path
) -> None:
    store = interrupted.copy(tmp_path / "store")
    (store.folder / "store.duckdb").unlink()
    EventStore(store.folder).snapshot().path(store.folder).write_bytes(b"nothing")
    told: list[str] = []
    with EventStore(store.folder).write(on_repair=told.append):
        pass
    assert told[-1].startswith("No snapshot could be opened; the store starts empty.")
    assert EventStore(store.folder).read().execute("select count(*) from event").fetchall() == [
        (0,)
    ]


def test_going_back_to_an_older_snapshot_is_published_even_after_as_many_changes(
    interrupted: Disturbed, tmp_path: Path
) -> None:
    store = interrupted.copy(tmp_path / "store")
    assert store.load_again() == store.new
    newest = EventStore(store.folder).snapshot()
    newest.path(store.folder).write_bytes(b"damaged")
    (store.folder / "store.duckdb").write_bytes(b"damaged")
    assert store.load_again() == store.new
    assert EventStore(store.folder).snapshot().version > newest.version


def test_what_interrupted_work_left_behind_is_cleared(
    interrupted: Disturbed, tmp_path: Path
) -> None:
    store = interrupted.copy(tmp_path / "store")
    leftovers = [
        store.folder / "snapshots" / "v9-00000000.duckdb.tmp",
        store.folder / "snapshots" / "v9-00000000.duckdb.tmp.wal",
        store.folder / "CURRENT.tmp",
        store.folder / "store.duckdb.new",
        store.folder / "scratch" / "duckdb_temp_storage-0.tmp",
    ]
    (store.folder / "scratch").mkdir(exist_ok=True)
    for path in leftovers:
        path.write_bytes(b"half")
    assert seen(store.folder) == store.old
    assert store.load_again() == store.new
    repair(EventStore(store.folder))
    assert not any(path.exists() for path in leftovers)


def test_an_interrupted_load_does_not_keep_later_ones_from_readers(
    interrupted: Disturbed, tmp_path: Path
) -> None:
    from tests.logs import events_of

    store = interrupted.copy(tmp_path / "store")
    with EventStore(store.folder).write() as writer:
        writer.append(events_of({"c1": "A@1"}), source="other", process="other")
    processes = EventStore(store.folder).read().execute("select process from process").fetchall()
    assert ("other",) in processes
