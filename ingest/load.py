"""Loading: the events of a source into a store, exactly once however often it is repeated."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

from ingest.file_progress import file_watched
from ingest.paging import load_pages
from ingest.source import FileSource, Note, Source, options_given
from miner.errors import InputError
from miner.eventlog.definitions import Limitation, limit
from miner.eventlog.merge import Counts
from miner.eventlog.store import EventStore
from miner.eventlog.writer import Loaded, Progress, Writer

Notes = Callable[[Sequence[Note]], None]


def load(
    source: Source,
    store: EventStore,
    *,
    process: str,
    keep: bool = False,
    tell: Progress | None = None,
    tell_notes: Notes | None = None,
    on_wait: Callable[[float], None] | None = None,
    on_repair: Callable[[str], None] | None = None,
) -> Loaded:
    """Read `source` and keep the events the store does not have yet; publish the result.

    Safe to repeat and to interrupt: a file that was loaded before adds nothing, one that was
    loaded in part goes on where it stopped, and whoever reads the store meanwhile sees it as it
    was. With `keep`, a copy of the file stays in the store's landing. What was guessed goes to
    `tell_notes` before anything is loaded.

    Raises InputError for a file or option that cannot be used, StoreError when the store cannot be
    written, SourceError when a system does not answer.
    """
    _check_process(process)
    if isinstance(source, FileSource):
        _check_file(source.path)
    if not isinstance(source, FileSource):
        return load_pages(source, store, process, tell=tell, on_wait=on_wait, on_repair=on_repair)
    with store.write(on_wait=on_wait, on_repair=on_repair) as writer:
        return _load_file(source, writer, process, keep, tell, tell_notes)


def fingerprint_of(source: FileSource) -> str:
    """A digest of the file's bytes and of every option that says how to read it."""
    options = {
        field.name: repr(getattr(source, field.name))
        for field in fields(source)
        if field.name != "path"
    }
    with Path(source.path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    described = json.dumps([source.name, options, digest], sort_keys=True)
    return hashlib.sha256(described.encode()).hexdigest()


def _load_file(
    source: FileSource,
    writer: Writer,
    process: str,
    keep: bool,
    tell: Progress | None,
    tell_notes: Notes | None,
) -> Loaded:
    started_at = time.monotonic()
    fingerprint = fingerprint_of(source)
    before = writer.loaded_before(fingerprint, process)
    if before:
        duplicate = before.read - before.rejected
        counts = Counts(read=before.read, duplicate=duplicate, rejected=before.rejected)
        return Loaded(source.name, process, counts, 0, 0.0, None, {})
    if keep:
        from miner.eventlog import landing

        name = Path(source.path).name
        about = landing.Landed("", name, 0, source.name, process, options_given(source))
        landing.keep(writer.store, Path(source.path), about)
    parsing = None if tell is None else partial(tell, "Parsing")
    with file_watched(Path(source.path), parsing):
        scan = source.scan(writer.connection)
    with scan as opened:
        if tell_notes:
            tell_notes(opened.notes)
        loaded = writer.load(
            opened.select,
            source=source.name,
            process=process,
            origin=str(Path(source.path).resolve()),
            fingerprint=fingerprint,
            given=opened.given,
            notes=[(note.subject, note.text) for note in opened.notes],
            tell=tell,
            close=partial(_limit, writer, opened.limitations, process),
        )
    definitions = list(source.definitions())
    if definitions:
        writer.define(definitions, source=source.name, process=process)
    loaded = writer.settle(loaded, None)
    return replace(loaded, seconds=time.monotonic() - started_at)


def _limit(writer: Writer, limitations: Sequence[Limitation], process: str, load_id: int) -> None:
    limit(writer.connection, limitations, process=process, load_id=load_id)


def _check_process(process: str) -> None:
    if not process.strip() or len(process) > 200 or not process.isprintable():
        raise InputError(
            f"{process[:80]!r} cannot be the name of a process.",
            hint="Give a short printable name with --process.",
        )


def _check_file(given: str | Path) -> None:
    path = Path(given)
    if path.is_dir():
        raise InputError(f"{path} is a folder.", hint="Name a file in it.")
    if not path.exists():
        near = _near(path)
        raise InputError(
            f"There is no file {path}.", hint=f"Did you mean {near}?" if near else "Check the path."
        )
    if not path.is_file():
        raise InputError(f"{path} is no file.", hint="Save what it gives in a file and load that.")
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def _near(path: Path) -> Path | None:
    from difflib import get_close_matches

    if not path.parent.is_dir():
        return None
    names = [entry.name for entry in path.parent.iterdir() if entry.is_file()]
    near = get_close_matches(path.name, names, n=1)
    return path.parent / near[0] if near else None
