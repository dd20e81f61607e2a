"""Files as streams of bytes, packed or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ingest import unpack
from miner.errors import InputError, LogFormatError

CHUNK = 1 << 18


def unpacked(path: Path) -> Iterator[bytes]:
    """The bytes of `path` in chunks; what is packed is unpacked, within the limits of `unpack`.

    A file that cannot be opened is an InputError, one that is empty or a zip archive a
    LogFormatError.
    """
    try:
        with path.open("rb") as file:
            head = file.read(CHUNK)
            if not head:
                raise LogFormatError(f"{path} is empty.", hint="Export or fetch the file again.")
            if head.startswith(b"PK\x03\x04"):
                hint = "Unpack it and load what is inside."
                raise LogFormatError(f"{path} is a zip archive.", hint=hint)
            if unpack.packing(path):
                yield from unpack.unpacked(path)
                return
            while head:
                yield head
                head = file.read(CHUNK)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}.", hint="Check the path."
        ) from error
