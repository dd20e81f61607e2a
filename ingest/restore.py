"""Making a store again from the landing of one: what was pulled, and files that were kept."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path

from ingest.load import load
from ingest.paging import scope_of
from ingest.registry import source_class
from ingest.source import FileSource, Secret, Source, SystemSource, options_of
from miner.errors import InputError
from miner.eventlog import landing
from miner.eventlog.landing import Landed
from miner.eventlog.store import EventStore
from miner.eventlog.writer import Loaded


def restore(origin: Path, store: EventStore) -> Iterator[tuple[Landed, Loaded | None]]:
    """Load again what lies in the landing of the store folder `origin`, in the order it came.

    Yields each landed file and what loading it did: null for one whose source was not recorded.
    What the store has already is not added twice. Raises InputError when nothing was landed,
    StoreCorruptError when landed bytes are not what was given.
    """
    found = landing.landed(origin)
    if not found:
        raise InputError(
            f"There is nothing in the landing of {origin}.",
            hint="Systems leave there what was pulled; files only with `load … --keep`.",
        )
    for each in found:
        with tempfile.TemporaryDirectory(prefix="procession-") as folder:
            path = landing.restore(origin, each.sha256, Path(folder) / Path(each.file).name)
            yield each, _load(each, path, store) if each.source else None


def _load(landed: Landed, path: Path, store: EventStore) -> Loaded | None:
    source = _source(landed, path)
    if isinstance(source, FileSource):
        return load(source, store, process=landed.process)
    if not isinstance(source, SystemSource):
        return None
    loaded = None
    with store.write() as writer:
        for page in landing.pages_of(path):
            loaded = writer.append(
                source.decode(page),
                source=source.name,
                process=landed.process,
                scope=scope_of(source, landed.process),
                load_id=loaded.load_id if loaded else None,
            )
    return loaded


def _source(landed: Landed, path: Path) -> Source:
    """The source as it was; secrets are not kept, and decoding needs none."""
    kind = source_class(landed.source)
    values = dict(landed.options)
    if issubclass(kind, FileSource):
        values["path"] = str(path)
    secrets = {each.name for each in options_of(kind) if issubclass(each.type, Secret)}
    for each in fields(kind):
        if each.name in secrets and each.default is MISSING and each.default_factory is MISSING:
            values[each.name] = Secret("")
    return kind(**values)
