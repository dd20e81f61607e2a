"""The landing: raw bytes that a load came from, kept so that the store can be made again."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import secrets
import shutil
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from miner.errors import InputError, StoreCorruptError
from miner.eventlog import engine
from miner.eventlog.invariants import Finding

FOLDER = "landing"
_CHUNK = 4 << 20
_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True)
class Landed:
    """A file in the landing, named by its content."""

    sha256: str
    """Of the bytes that were given, not of what lies compressed in the landing."""
    file: str
    """The name that it had."""
    bytes: int
    source: str = ""
    """The kind of source that can read it; empty: not recorded."""
    process: str = ""
    """The process named at loading."""
    options: dict[str, Any] = field(default_factory=dict)
    """The options of that source, without secrets."""


def keep_pages(store_folder: Path, pages: Sequence[bytes], about: Landed) -> Landed | None:
    """Keep what a system answered, page by page; `about` says what it is.

    Null when the same had been kept before. Raises StoreError when it cannot be written.
    """
    content = b"".join(part for page in pages for part in (_LENGTH.pack(len(page)), page))
    digest = hashlib.sha256(content).hexdigest()
    kept = replace(about, sha256=digest, bytes=len(content))
    folder = store_folder / FOLDER
    with engine.files_translated(store_folder):
        return kept if _write(folder, kept, io.BytesIO(content)) else None


def drop(store_folder: Path, landed: Landed) -> None:
    """Take away what was just kept, because it held nothing that was not known."""
    for path in (_note, _content):
        path(store_folder / FOLDER, landed.sha256).unlink(missing_ok=True)


def pages_of(path: Path) -> Iterator[bytes]:
    """The pages in a file that `restore` wrote, as `keep_pages` was given them."""
    with path.open("rb") as file:
        while length := file.read(_LENGTH.size):
            yield file.read(_LENGTH.unpack(length)[0])


def keep(store_folder: Path, path: Path, about: Landed | None = None) -> Landed:
    """Keep a compressed copy of the file at `path`; harmless to repeat.

    The copy is on the disk when this returns. Raises InputError when the file cannot be read and
    StoreError when the copy cannot be written.
    """
    try:
        source = path.open("rb")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    folder = store_folder / FOLDER
    with source, engine.files_translated(store_folder):
        digest = hashlib.file_digest(source, "sha256").hexdigest()
        known = about or Landed("", path.name, 0)
        landed = replace(known, sha256=digest, bytes=source.tell())
        source.seek(0)
        _write(folder, landed, source)
    return landed


def _write(folder: Path, landed: Landed, content: IO[bytes]) -> bool:
    """Whether it was not there yet."""
    if _note(folder, landed.sha256).exists():
        return False
    folder.mkdir(parents=True, exist_ok=True)
    with (
        _appearing(_content(folder, landed.sha256)) as file,
        gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed,
    ):
        shutil.copyfileobj(content, packed, _CHUNK)
    with _appearing(_note(folder, landed.sha256)) as file:
        file.write(json.dumps(asdict(landed), ensure_ascii=False, default=str).encode())
    return True


def landed(store_folder: Path) -> list[Landed]:
    """What is in the landing, in the order in which it came; empty when nothing is.

    Raises StoreCorruptError when a note about a file cannot be read.
    """
    notes = sorted(
        (store_folder / FOLDER).glob("*.json"),
        key=lambda note: (note.stat().st_mtime_ns, note.name),
    )
    found = []
    for note in notes:
        try:
            found.append(Landed(**json.loads(note.read_text(encoding="utf-8"))))
        except (ValueError, TypeError) as error:
            raise StoreCorruptError(
                f"The note {note} about a landed file cannot be read.",
                hint="Take it away and load that file again with --keep.",
            ) from error
    return found


def restore(store_folder: Path, sha256: str, target: Path) -> Path:
    """Write the bytes of a landed file to `target` again; returns `target`.

    Raises InputError when there is no such file, StoreCorruptError when its bytes are not those
    that were given; `target` is whole or not there.
    """
    content = _content(store_folder / FOLDER, sha256)
    if not content.exists():
        raise InputError(f"Nothing with the digest {sha256} is in the landing of {store_folder}.")
    with engine.files_translated(store_folder), _appearing(target) as file:
        _unpack(content, sha256, file)
    return target


def check(store_folder: Path) -> list[Finding]:
    """One finding per landed file: whether its bytes are still those that were given."""
    folder = store_folder / FOLDER
    found = []
    for content in sorted(folder.glob("*.gz")):
        digest = content.name.removesuffix(".gz")
        statement = f"the landed file {_name_of(folder, digest)} is what was given"
        try:
            _unpack(content, digest, None)
        except StoreCorruptError as error:
            found.append(Finding(statement, False, error.message))
        else:
            found.append(Finding(statement, True))
    return found


def _unpack(content: Path, sha256: str, target: IO[bytes] | None) -> None:
    seen = hashlib.sha256()
    try:
        with gzip.open(content) as packed:
            while chunk := packed.read(_CHUNK):
                seen.update(chunk)
                if target:
                    target.write(chunk)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise StoreCorruptError(f"{content} cannot be unpacked: {error}.") from error
    if seen.hexdigest() != sha256:
        raise StoreCorruptError(f"{content} is not what was given: its digest differs.")


def _name_of(folder: Path, digest: str) -> str:
    with suppress(OSError, ValueError, TypeError, KeyError):
        return str(json.loads(_note(folder, digest).read_text(encoding="utf-8"))["file"])
    return digest[:12]


def _content(folder: Path, digest: str) -> Path:
    return folder / f"{digest}.gz"


def _note(folder: Path, digest: str) -> Path:
    return folder / f"{digest}.json"


@contextmanager
def _appearing(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears under its name only when all of it is on the disk."""
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with unfinished.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
        engine.sync_folder(path.parent)
    finally:
        with suppress(OSError):
            unfinished.unlink()
