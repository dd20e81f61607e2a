"""Publishing: immutable snapshots, flipped at once, collected when nobody reads them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from miner.errors import StoreError
from miner.eventlog import snapshots
from miner.eventlog.store import EventStore
from miner.eventlog.verify import verify
from tests.eventlog.test_store import _reader, answer, load, traces


@pytest.fixture
def store(tmp_path: Path) -> EventStore:
    return EventStore(tmp_path / "store")


def names(store: EventStore) -> list[str]:
    return [path.name.split("-")[0] for path in snapshots.versions(store.folder)]


def test_the_last_three_snapshots_are_kept(store: EventStore) -> None:
    for number in range(6):
        load(store, traces(number, 1))
    assert names(store) == ["v6", "v5", "v4"]
    assert store.snapshot().version == 6


def test_a_snapshot_that_another_process_reads_is_kept(store: EventStore) -> None:
    load(store, traces(0, 1))
    code = (
        "import sys; from pathlib import Path; from miner.eventlog.store import EventStore; "
        "reader = EventStore(Path(sys.argv[1])).read(); print('ready', flush=True); "
        "sys.stdin.read()"
    )
    with _holding(store, code) as holder:
        for number in range(1, 6):
            load(store, traces(number, 1))
        assert names(store) == ["v6", "v5", "v4", "v1"]
        holder.communicate("")
    load(store, traces(6, 1))
    assert names(store) == ["v7", "v6", "v5"]


def _holding(store: EventStore, code: str) -> subprocess.Popen[str]:
    import sys

    from tests.eventlog.damage import ROOT

    process = subprocess.Popen(
        [sys.executable, "-c", code, str(store.folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def test_an_older_version_can_be_read_while_it_is_there(store: EventStore) -> None:
    load(store, traces(0, 1))
    first = store.snapshot()
    load(store, traces(1, 1))
    assert answer(store.read(first)) == (4, 1)
    for number in range(2, 5):
        load(store, traces(number, 1))
    with pytest.raises(StoreError, match="is not there any more"):
        store.read(first)


def test_a_snapshot_knows_its_digest_and_its_age(store: EventStore) -> None:
    load(store, traces(0, 1))
    snapshot = store.snapshot()
    assert snapshots.digest_matches(store.folder, snapshot)
    assert snapshot.bytes == snapshot.path(store.folder).stat().st_size
    assert snapshot.published_at.endswith("+00:00")


def test_a_copy_that_does_not_pass_its_checks_is_not_published(store: EventStore) -> None:
    load(store, traces(0, 1))
    before = store.snapshot()
    with pytest.raises(StoreError, match="contradicts itself") as raised:  # noqa: SIM117
        with store.write() as writer:
            writer.append(traces(1, 1), source="test", process="p")
            writer.connection.execute('delete from "case" where case_key = 1')
    assert "verify --repair" in raised.value.hint
    assert store.snapshot() == before
    assert not list(store.folder.rglob("*.tmp"))


def test_names_are_never_used_again(store: EventStore) -> None:
    load(store, traces(0, 1))
    first = store.snapshot()
    first.path(store.folder).unlink()
    (store.folder / snapshots.CURRENT).unlink()
    with store.write():
        pass
    assert store.snapshot().version >= first.version
    assert store.snapshot().file != first.file


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], capture_output=True
    )
    if made.returncode:
        pytest.skip(f"no small file system: {made.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("left", [0, 4_000, 2_000_000, 4_000_000])
def test_on_a_full_disk_nothing_is_lost_and_running_it_again_works(
    small_disk: Path, left: int
) -> None:
    store = EventStore(small_disk / "store")
    load(store, traces(0, 10))
    ballast = small_disk / "ballast"
    fill(ballast, small_disk, left)
    with pytest.raises(StoreError, match="space") as raised:
        load(store, traces(0, 4000))
    assert raised.value.hint
    assert answer(store.read()) == (40, 10)
    ballast.unlink()
    load(store, traces(0, 4000))
    assert answer(store.read()) == (16_000, 4_000)
    assert [finding for finding in verify(store) if not finding.holds] == []


def fill(ballast: Path, folder: Path, left: int) -> None:
    """Fill the file system of `folder` but for `left` bytes."""
    free = os.statvfs(folder)
    with suppress(OSError), ballast.open("wb") as file:
        for _ in range(max((free.f_bavail * free.f_frsize - left) // 4096, 0)):
            file.write(b"x" * 4096)


def test_a_disk_that_is_full_before_anything_was_loaded_is_said(small_disk: Path) -> None:
    fill(small_disk / "ballast", small_disk, 0)
    store = EventStore(small_disk / "store")
    with pytest.raises(StoreError, match="space"):
        load(store, traces(0, 1))
    (small_disk / "ballast").unlink()
    load(store, traces(0, 1))
    assert answer(store.read()) == (4, 1)


def test_a_reader_never_meets_a_snapshot_that_was_just_collected(store: EventStore) -> None:
    load(store, traces(0, 1))
    with _reader(store, seconds=3) as process:
        for number in range(1, 8):
            load(store, traces(number, 1))
        output, _ = process.communicate(timeout=60)
    assert output
    assert process.returncode == 0
