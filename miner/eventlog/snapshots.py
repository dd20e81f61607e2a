"""Snapshots: immutable copies of the store, found through one small file that is flipped."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from miner.errors import StoreCorruptError, StoreError
from miner.eventlog import engine

CURRENT = "CURRENT"
FOLDER = "snapshots"
KEPT = 3
_FICLONE = 0x40049409


@dataclass(frozen=True)
class Snapshot:
    """A published state of the store."""

    version: int
    file: str
    published_at: str
    sha256: str
    bytes: int
    changes: int
    """Transactions that had changed the store by then."""

    def path(self, store: Path) -> Path:
        """Where its file is."""
        return store / FOLDER / self.file


def current(store: Path) -> Snapshot | None:
    """The newest published snapshot; null when nothing was published yet.

    Raises StoreCorruptError when the pointer or the file it names cannot be read.
    """
    for attempt in range(3):
        try:
            text = (store / CURRENT).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        with suppress(ValueError, TypeError, KeyError):
            snapshot = Snapshot(**json.loads(text))
            if snapshot.path(store).is_file():
                return snapshot
        time.sleep(0.05 * attempt)
    raise StoreCorruptError(
        f"The pointer {store / CURRENT} names no snapshot that exists.",
        hint="Run `procession verify --repair`.",
    )


def publish(store: Path, source: Path, check: Callable[[Path], int]) -> Snapshot:
    """Copy `source`, check the copy, and make it what everybody reads.

    `source` must be closed; `check` returns how many changes it has seen, or raises. Whoever reads
    meanwhile keeps the version they have. Raises StoreError when it cannot be written; what was
    loaded is safe then.
    """
    folder = store / FOLDER
    version = _last_version(store) + 1
    name = f"v{version}-{secrets.token_hex(4)}.duckdb"
    unfinished = folder / f"{name}.tmp"
    try:
        folder.mkdir(exist_ok=True)
        _copy(source, unfinished)
        with ThreadPoolExecutor(1) as beside:
            hashing = beside.submit(_digest, unfinished)
            changes = check(unfinished)
            digest, size = hashing.result()
        unfinished.rename(folder / name)
        engine.sync_folder(folder)
        snapshot = Snapshot(version, name, datetime.now(UTC).isoformat(), digest, size, changes)
        flip(store, snapshot)
    except OSError as error:
        raise StoreError(
            f"The snapshot {name} cannot be written: {error.strerror or error}.",
            hint="Free some disk space and run `procession prepare`; what was loaded is safe.",
        ) from error
    finally:
        with suppress(OSError):
            unfinished.unlink()
    collect(store)
    return snapshot


def go_back(store: Path, path: Path, changes: int) -> None:
    """Make the snapshot at `path`, which has seen `changes`, the current one again."""
    with suppress(StoreCorruptError):
        published = current(store)
        if published and published.file == path.name:
            return
    digest, size = _digest(path)
    at = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat()
    flip(store, Snapshot(_version(path), path.name, at, digest, size, changes))


def flip(store: Path, snapshot: Snapshot) -> None:
    """Make `snapshot` the current one, at once and for good."""
    pointer = store / f"{CURRENT}.tmp"
    with pointer.open("w", encoding="utf-8") as file:
        json.dump(asdict(snapshot), file)
        file.flush()
        os.fsync(file.fileno())
    pointer.rename(store / CURRENT)
    engine.sync_folder(store)


def collect(store: Path) -> None:
    """Remove old snapshots that nobody reads, and what interrupted publishing left behind.

    The engine locks the file of every connection; a snapshot that another process has open stays.
    """
    folder = store / FOLDER
    for leftover in folder.glob("*.tmp*"):
        leftover.unlink(missing_ok=True)
    for path in versions(store)[KEPT:]:
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDWR)
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(descriptor)


def versions(store: Path) -> list[Path]:
    """The files of all snapshots, newest first."""
    return sorted((store / FOLDER).glob("v*.duckdb"), key=_version, reverse=True)


def digest_matches(store: Path, snapshot: Snapshot) -> bool:
    """Whether the bytes of a snapshot are still those that were published."""
    return _digest(snapshot.path(store)) == (snapshot.sha256, snapshot.bytes)


def _version(path: Path) -> int:
    number = path.name[1:].split("-")[0]
    return int(number) if number.isdecimal() else 0


def _last_version(store: Path) -> int:
    return max((_version(path) for path in versions(store)), default=0)


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as read, target.open("wb") as written:
        try:
            fcntl.ioctl(written.fileno(), _FICLONE, read.fileno())
        except OSError:
            shutil.copyfileobj(read, written, 4 << 20)
        os.fsync(written.fileno())


def _digest(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size
