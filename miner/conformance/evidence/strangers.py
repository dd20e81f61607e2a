"""What is wrong with a file that is not, to the byte, the pack it was: in words, file by file."""

from __future__ import annotations

import hashlib
import lzma
import struct
import zipfile
import zlib
from collections import Counter
from typing import BinaryIO

from miner.conformance.evidence import manifest
from miner.conformance.evidence.manifest import Entry, Manifest, read_manifest
from miner.errors import InputError

MOST_FILES = 10_000
MOST_BYTES = 16 << 30
LARGEST_RATIO = 250
"""How many times its size a pack may unpack to; tables of text unpack to ten or twenty times."""
_PIECE = 1 << 20
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,  # encrypted
    ValueError,
    OSError,
    IndexError,
    KeyError,
    OverflowError,
    lzma.LZMAError,
    struct.error,
)

Finding = tuple[str | None, str]


def found_in(file: BinaryIO, made: Manifest | None) -> list[Finding]:
    """What is wrong, a row per file; one row without a file where the pack is refused whole.

    `made` is the manifest if it is where it has to be. Nothing is read from a zip file that would
    unpack to more than it should, or whose names lead out of a folder.
    """
    if file.seek(0, 2) == 0:
        return [(None, "The file is empty.")]
    try:
        with zipfile.ZipFile(file) as opened:
            infos = opened.infolist()
            refused = _refused(infos, file.seek(0, 2))
            if refused:
                return [(None, refused)]
            return _compared(opened, infos, made)
    except _UNREADABLE:
        return [(None, "The file is cut short, damaged or no zip file.")]


def _refused(infos: list[zipfile.ZipInfo], size: int) -> str | None:
    if len(infos) > MOST_FILES:
        return f"The zip file has {len(infos):,} files; a pack has a few."
    ((name, times),) = Counter(info.filename for info in infos).most_common(1) or [("", 1)]
    if times > 1:
        return f"The zip file has {name!r} {times} times."
    for info in infos:
        parts = info.orig_filename.replace("\\", "/").removesuffix("/").split("/")
        if ".." in parts or "" in parts or ":" in parts[0] or "\0" in info.orig_filename:
            return f"The zip file has the name {info.orig_filename!r}, which leads out of a folder."
    unpacked = sum(info.file_size for info in infos)
    if unpacked > MOST_BYTES or unpacked > LARGEST_RATIO * max(size, 1 << 20):
        return f"The zip file says that it unpacks to {unpacked:,} bytes; it is not read."
    return None


def _compared(
    opened: zipfile.ZipFile, infos: list[zipfile.ZipInfo], made: Manifest | None
) -> list[Finding]:
    names = {info.filename for info in infos}
    if manifest.NAME not in names:
        return [(manifest.NAME, "missing")]
    if made is None:
        try:
            made = _manifest_of(opened)
        except InputError as error:
            return [(manifest.NAME, f"changed: {error.message}")]
    known = {entry.name: entry for entry in made.entries}
    rows: list[Finding] = [(name, "missing") for name in known if name not in names]
    rows += [(name, "added") for name in names - set(known) - {manifest.NAME}]
    rows += [
        (name, "changed")
        for name, entry in known.items()
        if name in names and not _is_same(opened, entry)
    ]
    return rows


def _manifest_of(opened: zipfile.ZipFile) -> Manifest:
    try:
        data = opened.read(manifest.NAME)
    except _UNREADABLE as error:
        raise InputError("it cannot be unpacked.") from error
    return read_manifest(data)


def _is_same(opened: zipfile.ZipFile, entry: Entry) -> bool:
    digest = hashlib.sha256()
    read = 0
    try:
        with opened.open(entry.name) as content:
            while piece := content.read(_PIECE):
                read += len(piece)
                if read > entry.size:
                    return False
                digest.update(piece)
    except _UNREADABLE:
        return False
    return (read, digest.hexdigest()) == (entry.size, entry.sha256)
