"""Compressed files as streams of bytes: unpacked on the way, within limits, in constant memory."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from miner.errors import InputError, LogFormatError

CHUNK = 1 << 20
PACKED_CHUNK = 1 << 14
"""Small, because Zstandard unpacks all it is given at once."""
FREELY = 1 << 30
"""Bytes that any file may unpack to."""
MAX_RATIO = 200
"""How many times its size a file may unpack to beyond that; logs reach 20 to 100, bombs 1,000."""
MAX_XZ_MEMORY = 1 << 28


def packing(path: Path) -> str | None:
    """How a file is packed, told by its first bytes: gzip, bzip2, xz, zstandard, or None."""
    with path.open("rb") as stream:
        head = stream.read(6)
    magic = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
    return next((name for start, name in magic.items() if head.startswith(start)), None)


def unpacked(path: Path) -> Iterator[bytes]:
    """The bytes of the packed file `path` in chunks.

    A file that is cut off, damaged, or so tightly packed that it can only be an attack is a
    LogFormatError.
    """
    size, total = path.stat().st_size, 0
    try:
        with path.open("rb") as packed:
            for chunk in _chunks(packed, packing(path)):
                total += len(chunk)
                if total > max(FREELY, MAX_RATIO * size):
                    raise LogFormatError(
                        f"The file {str(path)!r} has {size:,} bytes and unpacks to over {total:,}.",
                        hint="That is no event log but an attack or an accident. "
                        "If it is a log, unpack it yourself and load the result.",
                    )
                yield chunk
    except EOFError:
        raise LogFormatError(
            f"The compressed file {str(path)!r} is cut off.", hint="Copy or export it again."
        ) from None
    except (ValueError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise LogFormatError(
            f"The compressed file {str(path)!r} is damaged: {error}.",
            hint="Copy or export it again.",
        ) from None
    except OSError as error:
        raise InputError(f"The file {str(path)!r} cannot be read: {error}.") from None


def _chunks(packed: BinaryIO, how: str | None) -> Iterator[bytes]:
    if how == "gzip":
        yield from iter(partial(gzip.GzipFile(fileobj=packed).read, CHUNK), b"")
    elif how == "bzip2":
        yield from iter(partial(bz2.BZ2File(packed).read, CHUNK), b"")
    elif how == "xz":
        yield from _xz(packed)
    else:
        yield from _zstandard(packed)


def _xz(packed: BinaryIO) -> Iterator[bytes]:
    """By hand, because `lzma.open` lets the file choose how much memory it takes."""
    unpacker, waiting = lzma.LZMADecompressor(memlimit=MAX_XZ_MEMORY), b""
    while True:
        if unpacker.eof:
            waiting = (unpacker.unused_data or packed.read(CHUNK)).lstrip(b"\0")
            if not waiting:
                return
            unpacker = lzma.LZMADecompressor(memlimit=MAX_XZ_MEMORY)
        elif unpacker.needs_input:
            waiting = packed.read(CHUNK)
            if not waiting:
                raise EOFError
        yield unpacker.decompress(waiting, CHUNK)
        waiting = b""


def _zstandard(packed: BinaryIO) -> Iterator[bytes]:
    """By hand, because `zstandard.open` takes the end of a cut-off file for its end."""
    import zstandard

    frames = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    unpacker, waiting = frames.decompressobj(), b""
    try:
        while waiting := waiting or packed.read(PACKED_CHUNK):
            yield unpacker.decompress(waiting)
            waiting = unpacker.unused_data
            if unpacker.eof:
                unpacker = frames.decompressobj()
                started = bool(waiting)
            else:
                started = True
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from None
    if started:
        raise EOFError
