"""Verifying: proof that the store is what was written, and putting it right when it is not."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import duckdb

from miner.errors import StoreCorruptError, StoreLockedError
from miner.eventlog import audit, engine, invariants, landing, snapshots
from miner.eventlog.invariants import Finding
from miner.eventlog.snapshots import Snapshot
from miner.eventlog.store import EventStore
from miner.eventlog.writer import DATABASE

_POINTER = "the pointer names a snapshot that exists"
_SCRATCH = "verify-"


def verify(store: EventStore, *, thorough: bool = True) -> list[Finding]:
    """Every statement about the store that was checked, and whether it holds.

    Neither waits for a writer nor disturbs a reader. `thorough` reads every value, compares digests
    and derives everything anew in a copy, which needs as much disk space as the store. Raises
    StoreError when nothing was ever published.
    """
    try:
        snapshot = store.snapshot()
    except StoreCorruptError as error:
        found = [Finding(_POINTER, False, error.message)]
    else:
        found = [Finding(_POINTER, True), *_of_snapshot(store, snapshot, thorough)]
    if thorough:
        found.append(_of_private_file(store))
        found += landing.check(store.folder)
    return [*found, _of_audit(store)]


def repair(store: EventStore) -> list[str]:
    """Put the store right as far as that goes; returns one sentence for each thing that was done.

    Opening the store replays what was interrupted, sets damaged files aside (they are kept) and
    goes back to the last whole snapshot, after reading every value. A damaged snapshot is published
    anew, wrong derived tables are made anew. Empty when nothing had to be done. Raises
    StoreLockedError while another process writes.
    """
    done: list[str] = []
    with store.write(on_repair=done.append, thorough=True) as writer:
        if not _is_whole(store):
            writer.republish()
            done.append("Readers saw a damaged snapshot; the store was published again.")
    if any(not finding.holds for finding in _derived(store, store.snapshot())):
        with store.write() as writer:
            cases = writer.rebuild()
        done.append(f"The derived tables of {cases} cases were made anew.")
    done += _without_leftovers(store)
    with store.write() as writer:
        if writer.unfinished():
            done.append("A load was interrupted; run it again to finish it.")
    if done:
        audit.note(store.folder, "repair", done=done)
    return done


def _of_snapshot(store: EventStore, snapshot: Snapshot, thorough: bool) -> list[Finding]:
    try:
        connection = engine.reading(snapshot.path(store.folder))
    except (duckdb.Error, FileNotFoundError) as error:
        return [Finding("the snapshot can be opened", False, str(error))]
    try:
        statements = invariants.QUICK | (invariants.THOROUGH if thorough else {})
        found = invariants.findings(connection, statements)
        if not thorough:
            return found
        found.append(_readable("the snapshot", connection))
    except duckdb.Error as error:
        return [Finding("every value of the snapshot can be read", False, str(error))]
    finally:
        connection.close()
    same = snapshots.digest_matches(store.folder, snapshot)
    found.append(Finding("the snapshot is byte for byte what was published", same))
    return found + _derived(store, snapshot)


def _derived(store: EventStore, snapshot: Snapshot) -> list[Finding]:
    """Whether the derived tables equal a full rebuild, which is made in a copy."""
    with (
        engine.files_translated(store.folder),
        tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=store.folder) as scratch,
    ):
        copy = Path(scratch) / DATABASE
        shutil.copyfile(snapshot.path(store.folder), copy)
        try:
            connection = engine.writing(copy, Path(scratch))
        except duckdb.Error as error:
            return [Finding("the snapshot can be opened", False, str(error))]
        try:
            return invariants.rebuilt_equals(connection)
        except duckdb.Error as error:
            return [Finding("the derived tables equal a full rebuild", False, str(error))]
        finally:
            connection.close()


def _of_private_file(store: EventStore) -> Finding:
    """Whether the writer's own file can be read; a log beside it is replayed in memory."""
    statement = "every value of the writer's own file can be read"
    path = store.folder / DATABASE
    if not path.exists():
        return Finding(statement, False, f"{path} is not there")
    try:
        with store.lock(wait=0):
            connection = duckdb.connect(path, read_only=True)
            try:
                return _readable("the writer's own file", connection)
            finally:
                connection.close()
    except StoreLockedError:
        return Finding(statement, True, "not looked at: it is being written")
    except duckdb.Error as error:
        return Finding(statement, False, str(error))


def _of_audit(store: EventStore) -> Finding:
    line = audit.broken_at(store.folder)
    detail = "" if line is None else f"line {line} does not follow from the one before"
    return Finding("the audit trail is unbroken", line is None, detail)


def _readable(what: str, connection: duckdb.DuckDBPyConnection) -> Finding:
    holds = invariants.is_readable(connection)
    return Finding(f"every value of {what} can be read", holds)


def _is_whole(store: EventStore) -> bool:
    """Whether what readers see is byte for byte what was published; true before the first time."""
    try:
        published = snapshots.current(store.folder)
    except StoreCorruptError:
        return True  # it names nothing, so that it is published in any case
    return published is None or snapshots.digest_matches(store.folder, published)


def _without_leftovers(store: EventStore) -> list[str]:
    """Remove what interrupted verifying, publishing and querying left; files set aside stay."""
    removed = []
    with store.lock():
        for pattern in (f"{_SCRATCH}*", "*.tmp", "*.new", "*.compact", "*/*.tmp*", "*/spill-*"):
            for path in sorted(store.folder.glob(pattern)):
                if path.name.startswith("spill-") and Path(f"/proc/{path.name[6:]}").exists():
                    continue
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                removed.append(f"Removed {path.relative_to(store.folder)}.")
    return removed
