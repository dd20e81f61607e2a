"""Zip files that can be written in one way only, so that every byte of one can be checked.

No time, owner, comment or extra field stands in them, files lie one after the other in their order
and the directory follows; the manifest comes last. Any zip program opens them.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

from miner.conformance.evidence import manifest
from miner.conformance.evidence.manifest import LARGEST, Entry, Manifest
from miner.errors import InputError

DEFLATED, STORED = 8, 0

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_VERSION, _UTF8 = 20, 0x800
_TIME, _DATE = 0, (1 << 5) | 1  # midnight of 1 January 1980, where zip begins to count


class Sink(Protocol):
    """Where the content of a file goes, piece by piece."""

    def write(self, data: bytes, /) -> int:
        """Take some bytes; how many there were."""


@dataclass(frozen=True)
class Member:
    """One file as the zip format describes it."""

    name: str
    method: int
    crc: int
    packed_size: int
    size: int
    offset: int

    def local(self) -> bytes:
        """What stands before its content."""
        name = self.name.encode()
        return _LOCAL.pack(b"PK\3\4", *self._described(), len(name), 0) + name

    def central(self) -> bytes:
        """Its line in the directory."""
        name = self.name.encode()
        return (
            _CENTRAL.pack(
                b"PK\1\2", _VERSION, *self._described(), len(name), 0, 0, 0, 0, 0, self.offset
            )
            + name
        )

    def _described(self) -> tuple[int, ...]:
        return (
            _VERSION, _UTF8, self.method, _TIME, _DATE, self.crc, self.packed_size, self.size
        )  # fmt: skip


def directory(members: Sequence[Member], offset: int) -> bytes:
    """The end of a zip file whose contents take `offset` bytes."""
    lines = b"".join(member.central() for member in members)
    count = len(members)
    return lines + _END.pack(b"PK\5\6", 0, 0, count, count, len(lines), offset, 0)


def directory_at(end: bytes) -> int | None:
    """Where the directory begins, as the last 22 bytes of a file say; null if they are no end."""
    if len(end) != _END.size or not end.startswith(b"PK\5\6"):
        return None
    return int(_END.unpack(end)[6])


END_BYTES = _END.size
LOCAL_BYTES = _LOCAL.size


class Archive:
    """A zip file that is being written; `close_with` ends it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._position = 0
        self._members: list[Member] = []
        self._entries: list[Entry] = []

    @contextmanager
    def stream(self, name: str) -> Iterator[Sink]:
        """A file of this name, whose content is written piece by piece."""
        offset = self._position
        blank = Member(name, DEFLATED, 0, 0, 0, offset)
        self._write(blank.local())
        content = _Content(self)
        yield content
        content.end()
        member = Member(name, DEFLATED, content.crc, content.packed_size, content.size, offset)
        self._file.seek(offset)
        self._file.write(member.local())
        self._file.seek(self._position)
        self._members.append(member)
        self._entries.append(content.entry(name))

    def add(self, name: str, content: str | bytes) -> None:
        """A file with this content; text is UTF-8."""
        with self.stream(name) as sink:
            sink.write(content.encode() if isinstance(content, str) else content)

    def close_with(self, about: dict[str, Any]) -> Manifest:
        """Write the manifest of all files and the directory; returns the manifest."""
        made = Manifest.of(about, self._entries)
        data = made.to_bytes()
        last = manifest_member(data, self._position)
        self._write(last.local() + data)
        self._write(directory([*self._members, last], self._position))
        return made

    def _write(self, data: bytes) -> None:
        self._position += len(data)
        if self._position > LARGEST:
            raise InputError(
                "The pack would be larger than 4 GB.",
                hint="Narrow the filter, for example by time.",
            )
        self._file.write(data)


def manifest_member(data: bytes, offset: int) -> Member:
    """The member of the manifest, which is not compressed."""
    return Member(manifest.NAME, STORED, zlib.crc32(data), len(data), len(data), offset)


class _Content:
    """One file on its way into the archive."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._digest, self._packed_digest = hashlib.sha256(), hashlib.sha256()
        self.crc = self.size = self.packed_size = 0

    def write(self, data: bytes, /) -> int:
        self.size += len(data)
        if self.size > LARGEST:
            raise InputError(
                "A file of the pack would be larger than 4 GB.",
                hint="Narrow the filter, as by time.",
            )
        self.crc = zlib.crc32(data, self.crc)
        self._digest.update(data)
        self._keep(self._packer.compress(data))
        return len(data)

    def end(self) -> None:
        self._keep(self._packer.flush())

    def entry(self, name: str) -> Entry:
        return Entry(
            name,
            self.size,
            self._digest.hexdigest(),
            self.packed_size,
            self._packed_digest.hexdigest(),
        )

    def _keep(self, packed: bytes) -> None:
        self.packed_size += len(packed)
        self._packed_digest.update(packed)
        self._archive._write(packed)
