"""The sources that are installed, found by their entry points."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from ingest.source import Source
from miner.errors import UnknownNameError

GROUP = "procession.sources"


@cache
def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def source_names() -> list[str]:
    """The names users type, in alphabetical order."""
    return sorted(_entries())


def source_class(name: str) -> type[Source]:
    """The source of that name; raises UnknownNameError when there is none."""
    entries = _entries()
    if name not in entries:
        raise UnknownNameError("source", name, entries)
    found = entries[name].load()
    assert isinstance(found, type) and issubclass(found, Source)
    return found
