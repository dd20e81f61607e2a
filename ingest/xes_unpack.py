"""Files as streams of bytes: unpacked on the way, within limits."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from miner.errors import InputError, LogFormatError

CHUNK = 1 << 18
MAX_UNPACKED = 1 << 40
MAX_RATIO = 500
"""Event logs shrink to a twentieth, very uniform ones to a hundredth; bombs to a thousandth."""
RATIO_COUNTS_FROM = 1 << 28
MAX_XZ_MEMORY = 1 << 28


def unpacked(path: Path) -> Iterator[bytes]:
    """The bytes of `path` in chunks of at most `CHUNK`; gzip, bzip2 and xz are unpacked.

    What a file is packed with is told by its first bytes, not by its name. A file that is missing,
    empty, cut off, damaged, or packed so tightly that it can only be an attack is an InputError.
    """
    try:
        with path.open("rb") as packed:
            size = path.stat().st_size
            if not size and path.is_file():
                raise LogFormatError(f"{path} is empty.", hint="Export or fetch the file again.")
            yield from _within_limits(_chunks(packed, path), path, size)
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise LogFormatError(
            f"{path} cannot be unpacked: {error}.", hint="It is cut off or damaged; fetch it again."
        ) from error
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}.", hint="Check the path."
        ) from error


def _chunks(packed: BinaryIO, path: Path) -> Iterator[bytes]:
    magic = packed.read(6)
    packed.seek(0)
    stream: BinaryIO | gzip.GzipFile | bz2.BZ2File = packed
    if magic.startswith(b"\x1f\x8b"):
        stream = gzip.GzipFile(fileobj=packed)
    elif magic.startswith(b"BZh"):
        stream = bz2.BZ2File(packed)
    elif magic == b"\xfd7zXZ\x00":
        yield from _xz(packed)
        return
    elif magic.startswith(b"PK\x03\x04"):
        raise LogFormatError(f"{path} is a zip archive.", hint="Unpack it and load what is inside.")
    while chunk := stream.read(CHUNK):
        yield chunk


def _xz(packed: BinaryIO) -> Iterator[bytes]:
    """By hand, because `lzma.open` lets the file choose how much memory it takes."""
    unpacker = lzma.LZMADecompressor(memlimit=MAX_XZ_MEMORY)
    waiting = b""
    while True:
        if unpacker.eof:
            waiting = (unpacker.unused_data or packed.read(CHUNK)).lstrip(b"\0")
            if not waiting:
                return
            unpacker = lzma.LZMADecompressor(memlimit=MAX_XZ_MEMORY)
        elif unpacker.needs_input:
            waiting = packed.read(CHUNK)
            if not waiting:
                raise EOFError("it ends before its end-of-stream marker")
        yield unpacker.decompress(waiting, CHUNK)
        waiting = b""


def _within_limits(chunks: Iterator[bytes], path: Path, size: int) -> Iterator[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        tight = total > RATIO_COUNTS_FROM and total > MAX_RATIO * size
        if tight or total > MAX_UNPACKED:
            raise LogFormatError(
                f"{path} has {size:,} bytes and unpacks to more than {total:,}.",
                hint="That is no event log but an attack or an accident; it was not read on.",
            )
        yield chunk
