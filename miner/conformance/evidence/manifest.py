"""The manifest of a pack: what each file was, chained so that none can be exchanged alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from miner.errors import InputError

NAME = "manifest.json"
FORMAT = "procession evidence 1"
LARGEST = 0xFFFF_FFFE
"""Bytes of a pack or a file in it: what the plain zip format can count."""
_CHAINED = ("name", "size", "sha256", "packed_size", "packed_sha256")


@dataclass(frozen=True)
class Entry:
    """One file of a pack, with its digests before and after it was compressed."""

    name: str
    size: int
    sha256: str
    packed_size: int
    packed_sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a pack holds, who made it of what and when, and the root of the pack before it."""

    about: Mapping[str, Any]
    entries: tuple[Entry, ...]
    chain: tuple[str, ...]
    """One hash per file, of the hash before it and the file's entry."""
    root: str
    """The last hash of the chain: it changes with every byte of the pack."""

    @classmethod
    def of(cls, about: Mapping[str, Any], entries: Sequence[Entry]) -> Manifest:
        """The manifest of files in their order; the chain begins with the hash of `about`."""
        last = _hash(canonical(about))
        chain = []
        for entry in entries:
            last = _hash(last.encode() + canonical(asdict(entry)))
            chain.append(last)
        return cls(about, tuple(entries), tuple(chain), last)

    def to_bytes(self) -> bytes:
        """The one text of this manifest, in UTF-8."""
        files = [
            asdict(entry) | {"chain": link}
            for entry, link in zip(self.entries, self.chain, strict=True)
        ]
        content = {"about": self.about, "files": files, "format": FORMAT, "root": self.root}
        return (json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def read_manifest(data: bytes) -> Manifest:
    """The inverse of `Manifest.to_bytes`.

    Raises InputError for a text that is not, to the byte, one that a manifest was written as.
    """
    try:
        content = json.loads(data)
        if content["format"] != FORMAT:
            raise InputError(
                f"The manifest is of the format {content['format']!r}, not {FORMAT!r}."
            )
        entries = [Entry(**{key: file[key] for key in _CHAINED}) for file in content["files"]]
        made = Manifest.of(content["about"], entries)
        is_whole = made.to_bytes() == data
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError("The manifest cannot be read.") from error
    if not is_whole or not all(_is_sound(entry) for entry in entries):
        raise InputError("The manifest was changed: its hashes do not follow from what it says.")
    return made


def canonical(content: Mapping[str, Any]) -> bytes:
    """Equal contents give equal bytes."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode()


def _is_sound(entry: Entry) -> bool:
    sizes = (entry.size, entry.packed_size)
    texts = (entry.name, entry.sha256, entry.packed_sha256)
    return all(type(size) is int and 0 <= size <= LARGEST for size in sizes) and all(
        type(text) is str and len(text.encode()) < 1 << 16 for text in texts
    )


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
