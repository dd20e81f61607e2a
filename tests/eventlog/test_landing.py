"""What is in the landing is what was given, and the store can be made from it again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks import kills
from miner.errors import InputError, StoreCorruptError
from miner.eventlog import landing
from tests.eventlog.damage import seen


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "Käufe.csv"
    path.write_bytes(b"case,activity\n" + b"c1,Pay\n" * 10_000)
    return path


def test_a_file_comes_back_byte_for_byte(tmp_path: Path, file: Path) -> None:
    landed = landing.keep(tmp_path / "store", file)
    assert (landed.file, landed.bytes) == ("Käufe.csv", file.stat().st_size)
    back = landing.restore(tmp_path / "store", landed.sha256, tmp_path / "back.csv")
    assert back.read_bytes() == file.read_bytes()
    assert landing.landed(tmp_path / "store") == [landed]


def test_it_is_compressed_and_kept_once(tmp_path: Path, file: Path) -> None:
    first = landing.keep(tmp_path / "store", file)
    other = tmp_path / "copy.csv"
    shutil.copy(file, other)
    assert landing.keep(tmp_path / "store", other).sha256 == first.sha256
    (kept,) = (tmp_path / "store" / landing.FOLDER).glob("*.gz")
    assert kept.stat().st_size < file.stat().st_size / 10
    assert not list((tmp_path / "store").rglob("*.tmp"))


def test_an_empty_file_can_be_kept(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    landed = landing.keep(tmp_path / "store", tmp_path / "empty")
    assert landed.bytes == 0
    back = landing.restore(tmp_path / "store", landed.sha256, tmp_path / "back")
    assert back.read_bytes() == b""


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere.csv cannot be read"):
        landing.keep(tmp_path / "store", tmp_path / "nowhere.csv")
    with pytest.raises(InputError, match="Nothing with the digest abc"):
        landing.restore(tmp_path / "store", "abc", tmp_path / "back")


@pytest.mark.parametrize("damage", ["flip", "cut", "other"])
def test_damage_is_found_and_nothing_wrong_is_restored(
    tmp_path: Path, file: Path, damage: str
) -> None:
    store = tmp_path / "store"
    landed = landing.keep(store, file)
    assert [finding.holds for finding in landing.check(store)] == [True]
    content = store / landing.FOLDER / f"{landed.sha256}.gz"
    raw = bytearray(content.read_bytes())
    if damage == "flip":
        raw[len(raw) // 2] ^= 1
    elif damage == "cut":
        del raw[-20:]
    else:
        other = tmp_path / "other"
        other.write_bytes(b"another file")
        digest = landing.keep(store, other).sha256
        raw = bytearray((store / landing.FOLDER / f"{digest}.gz").read_bytes())
    content.write_bytes(raw)
    assert [f.holds for f in landing.check(store) if "Käufe.csv" in f.statement] == [False]
    with pytest.raises(StoreCorruptError):
        landing.restore(store, landed.sha256, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_without_a_landing_there_is_nothing_to_check(tmp_path: Path) -> None:
    assert landing.check(tmp_path) == []
    assert landing.landed(tmp_path) == []


def test_the_store_can_be_made_again_from_its_landing(tmp_path: Path) -> None:
    events = kills.log(200, seed=9)
    store = tmp_path / "store"
    for number, part in enumerate((events.head(100), events)):
        path = tmp_path / f"part-{number}.parquet"
        part.write_parquet(path)
        landing.keep(store, path)
        kills.load(store, path)
    whole = seen(store)
    for path in store.iterdir():
        if path.name != landing.FOLDER:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (tmp_path / "again").mkdir()
    for landed in landing.landed(store):
        path = landing.restore(store, landed.sha256, tmp_path / "again" / landed.file)
        kills.load(store, path)
    assert seen(store) == whole
