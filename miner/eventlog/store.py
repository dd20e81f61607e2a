"""The event store: a folder with one writer at a time and snapshots that everybody reads."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from miner.errors import StoreCorruptError, StoreError, StoreLockedError
from miner.eventlog import audit, engine, invariants, snapshots
from miner.eventlog.filters import LogFilter
from miner.eventlog.log import EventLog
from miner.eventlog.snapshots import Snapshot
from miner.eventlog.writer import DATABASE, SCRATCH, Writer
from miner.settings import settings

LOCK = "writer.lock"
_READ_ATTEMPTS = 5
"""A snapshot that was the newest a moment ago may be collected before it is opened."""


class EventStore:
    """A folder of events. Nothing is opened until somebody reads or writes."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    @property
    def exists(self) -> bool:
        """Whether something was ever written here."""
        return (self.folder / DATABASE).exists() or (self.folder / snapshots.CURRENT).exists()

    def snapshot(self) -> Snapshot:
        """The published state that readers see now.

        Raises StoreError when there is none, StoreCorruptError when it cannot be found.
        """
        found = snapshots.current(self.folder)
        if found is None:
            raise StoreError(
                f"There are no events in {self.folder} yet.",
                hint="Bring some in, for example with `procession load csv FILE --process NAME`.",
            )
        return found

    def read(self, snapshot: Snapshot | None = None) -> duckdb.DuckDBPyConnection:
        """A hardened connection to a snapshot, by default the newest; never waits for a writer.

        While it is open, no writer in another process collects that snapshot.
        """
        for _ in range(_READ_ATTEMPTS):
            path = (snapshot or self.snapshot()).path(self.folder)
            with engine.translated(self.folder), suppress(FileNotFoundError):
                return engine.reading(path)
        raise StoreError(
            f"The snapshot {path.name} is not there any more.", hint="Read the newest one."
        )

    def log(self, process: str, condition: LogFilter | None = None) -> EventLog:
        """The events of one process in the newest snapshot.

        Raises UnknownNameError when the store has no such process.
        """
        return EventLog(self.read(), process).filter(condition or LogFilter())

    @contextmanager
    def write(
        self,
        *,
        wait: float | None = None,
        on_wait: Callable[[float], None] | None = None,
        on_repair: Callable[[str], None] | None = None,
        thorough: bool = False,
        publish: bool = True,
    ) -> Iterator[Writer]:
        """The one writer; publishes what it changed when the block ends.

        Without `publish` it is left to the next one who writes. Waits up to `wait` seconds for
        another writer, telling `on_wait` how long it has; then raises StoreLockedError. What
        recovery had to do is told to `on_repair`; `thorough` reads every value of the store before
        trusting it.
        """
        self._make_folders()
        with self.lock(wait=wait, on_wait=on_wait):
            path = self.folder / DATABASE
            shutil.rmtree(self.folder / SCRATCH, ignore_errors=True)
            tell = on_repair or (lambda _: None)
            with engine.translated(self.folder), engine.files_translated(self.folder):
                writer = Writer(self.folder, self._open(path, tell, thorough))
            try:
                before = writer.changes()
                with engine.translated(self.folder):
                    yield writer
                behind = publish and self._is_behind(writer, before)
            finally:
                writer.close()
            if behind:
                writer.publish(path)

    @contextmanager
    def lock(
        self, *, wait: float | None = None, on_wait: Callable[[float], None] | None = None
    ) -> Iterator[None]:
        """Keep writers away while the block runs; raises StoreLockedError after `wait` seconds."""
        limit = settings().wait_seconds if wait is None else wait
        with _locked(self.folder / LOCK, limit, on_wait):
            yield

    def _is_behind(self, writer: Writer, before: int) -> bool:
        """Whether readers should see what the store holds now.

        A load that was interrupted waits to be run again; what comes after it does not wait.
        """
        try:
            published = snapshots.current(self.folder)
        except StoreCorruptError:
            return True
        if published is None and snapshots.versions(self.folder):
            return True
        changes = writer.changes()
        if published is not None and published.changes == changes:
            return False
        return changes != before or not writer.unfinished()

    def _make_folders(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StoreError(
                f"The folder {self.folder} cannot be made: {error.strerror}.",
                hint="Choose another one with --store.",
            ) from error

    def _open(
        self, path: Path, tell: Callable[[str], None], thorough: bool
    ) -> duckdb.DuckDBPyConnection:
        """The recovery ladder: replay, set a bad log aside, go back to the last snapshot."""
        log = path.with_name(path.name + ".wal")
        lost = not path.exists() and (log.exists() or bool(snapshots.versions(self.folder)))
        connection = None if lost else self._open_undamaged(path, thorough)
        if connection is None and log.exists():
            aside = _set_aside(log)
            tell(f"The end of the last load was damaged; it is kept as {aside.name}.")
            audit.note(self.folder, "recover", step="log set aside", kept=aside.name)
            connection = None if lost else self._open_undamaged(path, thorough)
        if connection is None and path.exists():
            aside = _set_aside(path)
            tell(f"The store was damaged; it is kept as {aside.name}.")
        return connection or self._from_snapshot(path, tell)

    def _open_undamaged(self, path: Path, thorough: bool) -> duckdb.DuckDBPyConnection | None:
        """The store, or null when its bytes are not what was written or contradict each other."""
        try:
            connection = self._open_checked(path)
            if not thorough or invariants.is_readable(connection):
                return connection
            connection.close()
            return None
        except StoreCorruptError:
            return None
        except duckdb.Error as error:
            if engine.is_corrupt(error):
                return None
            raise

    def _open_checked(self, path: Path) -> duckdb.DuckDBPyConnection:
        if not path.exists():
            _make_empty(path, self.folder / SCRATCH)
        connection = engine.writing(path, self.folder / SCRATCH)
        try:
            self._check_format(connection)
            invariants.check_quickly(connection)
        except (duckdb.Error, StoreError):
            connection.close()
            raise
        return connection

    def _check_format(self, connection: duckdb.DuckDBPyConnection) -> None:
        try:
            (version,) = connection.execute("select version from format").fetchone() or (None,)
        except duckdb.CatalogException as error:
            raise StoreCorruptError(f"{self.folder / DATABASE} is not an event store.") from error
        if version != engine.FORMAT:
            raise StoreError(
                f"The store {self.folder} has format {version}, not {engine.FORMAT}.",
                hint="Load the logs into a new store.",
            )

    def _from_snapshot(self, path: Path, tell: Callable[[str], None]) -> duckdb.DuckDBPyConnection:
        for snapshot in snapshots.versions(self.folder):
            shutil.copyfile(snapshot, path)
            connection = self._open_undamaged(path, thorough=True)
            if connection:
                tell(f"Went back to {snapshot.name}; load again what came after it.")
                audit.note(self.folder, "recover", step="snapshot", snapshot=snapshot.name)
                snapshots.go_back(self.folder, snapshot, Writer(self.folder, connection).changes())
                return connection
            path.unlink(missing_ok=True)
        tell("No snapshot could be opened; the store starts empty. Load the logs again.")
        audit.note(self.folder, "recover", step="empty")
        if (self.folder / snapshots.CURRENT).exists():
            _set_aside(self.folder / snapshots.CURRENT)
        return self._open_checked(path)


def _set_aside(path: Path) -> Path:
    aside = path.with_name(f"{path.name}.bad-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    path.rename(aside)
    return aside


def _make_empty(path: Path, scratch: Path) -> None:
    """Make the tables in a file of another name first, so that no half-made store is ever seen."""
    unfinished = path.with_name(f"{path.name}.new")
    for leftover in (unfinished, unfinished.with_name(f"{unfinished.name}.wal")):
        leftover.unlink(missing_ok=True)
    connection = engine.writing(unfinished, scratch)
    try:
        connection.execute(engine.schema_statements())
        connection.execute("checkpoint")
    finally:
        connection.close()
    unfinished.rename(path)


@contextmanager
def _locked(path: Path, limit: float, on_wait: Callable[[float], None] | None) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    started = time.monotonic()
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waited = time.monotonic() - started
                if waited >= limit:
                    holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
                    raise StoreLockedError(
                        f"The store is being written by process {holder or '?'}; "
                        f"waited {waited:.0f} s.",
                        hint="Wait for it to finish, then run the command again.",
                    ) from None
                if on_wait:
                    on_wait(waited)
                time.sleep(min(0.2, max(limit - waited, 0.01)))
        with suppress(OSError):  # on a full disk the lock holds all the same
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)
