"""Whether a pack is, to the byte, what was written; offline, from the file alone."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from miner.conformance.evidence import archive, manifest
from miner.conformance.evidence.archive import Member
from miner.conformance.evidence.manifest import Entry, Manifest, read_manifest
from miner.conformance.evidence.strangers import found_in
from miner.errors import InputError

FINDINGS = pl.Schema({"file": pl.String(), "finding": pl.String()})
LARGEST_MANIFEST = 64 << 20
_PIECE = 1 << 20


@dataclass(frozen=True)
class Verdict:
    """What was found out about a pack.

    `whole` says that every byte of the file is the one that was written, as far as the file itself
    can tell, and that the root is the one expected, if one was given: whoever can write can write
    a whole new pack, and only a root kept elsewhere shows that. `findings` (`FINDINGS`) has a row
    per file that was changed, is missing or was added, by name; `file` is null where the whole
    pack is meant. What is known from the manifest is null where there is none to be read.
    """

    whole: bool
    root: str | None
    process: str | None
    made_at: str | None
    made_by: str | None
    previous_root: str | None
    files: int | None
    findings: pl.DataFrame


def verify(path: Path, *, root: str | None = None) -> Verdict:
    """Compare a pack with its own manifest, and its root with `root`.

    Nothing is unpacked to the disk, and memory does not grow with the file. Raises InputError when
    there is no such file.
    """
    try:
        with path.open("rb") as file:
            made = _manifest_in(file)
            whole = made is not None and _is_as_written(file, made)
            rows = [] if whole else found_in(file, made)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    if made is not None and root is not None and root.strip().lower() != made.root:
        rows.append((None, f"The root is {made.root}, not the one that was kept."))
        whole = False
    if not whole and not rows:
        rows.append((None, "Bytes between the files were changed."))
    about = made.about if made else {}
    return Verdict(
        whole,
        made.root if made else None,
        _text(about, "process"),
        _text(about, "made_at"),
        _text(about, "made_by"),
        _text(about, "previous_root"),
        len(made.entries) if made else None,
        pl.DataFrame(sorted(rows, key=lambda row: row[0] or ""), schema=FINDINGS, orient="row"),
    )


def _text(about: Any, key: str) -> str | None:
    found = about.get(key) if isinstance(about, dict) else None
    return found if isinstance(found, str) else None


def _manifest_in(file: BinaryIO) -> Manifest | None:
    """The manifest at the end of a pack; null where it is not where it has to be, or changed."""
    size = file.seek(0, 2)
    file.seek(max(0, size - archive.END_BYTES))
    directory = archive.directory_at(file.read())
    before = archive.LOCAL_BYTES + len(manifest.NAME)
    line = len(Member(manifest.NAME, 0, 0, 0, 0, 0).central())
    last = size - archive.END_BYTES - line
    if directory is None or not before < directory <= last:
        return None
    file.seek(last)
    begin = int.from_bytes(file.read(line)[42:46], "little") + before
    if not before <= begin < directory or directory - begin > LARGEST_MANIFEST:
        return None
    file.seek(begin)
    try:
        return read_manifest(file.read(directory - begin))
    except InputError:
        return None


def _is_as_written(file: BinaryIO, made: Manifest) -> bool:
    """Whether the file is what writing the files of the manifest gives, byte by byte."""
    if file.seek(0, 2) > manifest.LARGEST:
        return False
    position = 0
    members = []
    for entry in made.entries:
        name = entry.name.encode(errors="surrogatepass")
        begin = position + archive.LOCAL_BYTES + len(name)
        crc = _content(file, begin, entry)
        if crc is None:
            return False
        member = Member(entry.name, archive.DEFLATED, crc, entry.packed_size, entry.size, position)
        if not _stands_at(file, position, member.local()):
            return False
        members.append(member)
        position = begin + entry.packed_size
    data = made.to_bytes()
    last = archive.manifest_member(data, position)
    rest = last.local() + data
    end = archive.directory([*members, last], position + len(rest))
    return _stands_at(file, position, rest + end) and file.read(1) == b""


def _stands_at(file: BinaryIO, position: int, expected: bytes) -> bool:
    file.seek(position)
    return file.read(len(expected)) == expected


def _content(file: BinaryIO, begin: int, entry: Entry) -> int | None:
    """The checksum of a file whose content is what the manifest says; null where it is not."""
    packed, content = hashlib.sha256(), hashlib.sha256()
    crc = read = unpacked = 0
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for piece in _pieces(file, begin, entry.packed_size):
            packed.update(piece)
            read += len(piece)
            while piece:
                data = unpacker.decompress(piece, _PIECE)
                unpacked += len(data)
                if unpacked > entry.size:
                    return None
                content.update(data)
                crc = zlib.crc32(data, crc)
                piece = unpacker.unconsumed_tail
    except zlib.error:
        return None
    is_same = (packed.hexdigest(), content.hexdigest()) == (entry.packed_sha256, entry.sha256)
    is_all = (read, unpacked) == (entry.packed_size, entry.size) and unpacker.eof
    return crc if is_same and is_all else None


def _pieces(file: BinaryIO, begin: int, size: int) -> Iterator[bytes]:
    file.seek(begin)
    while size > 0 and (piece := file.read(min(size, _PIECE))):
        size -= len(piece)
        yield piece
