"""The one writer of a store: loads into it, prepares, publishes."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from miner.eventlog import audit, cursors, engine, honesty, invariants, loads, prepare, snapshots
from miner.eventlog.definitions import Definition, Limitation, define, limit, unknown
from miner.eventlog.frames import with_all_columns
from miner.eventlog.merge import Counts, merge
from miner.eventlog.schema import BATCH
from miner.eventlog.staging import Staged, stage, unstage

DATABASE = "store.duckdb"
SCRATCH = "scratch"

Progress = Callable[[str, float], None]
"""Told what is being done and which share of it is done."""


@dataclass(frozen=True)
class Loaded:
    """What a load did; `counts.read` is the sum of the other counts."""

    source: str
    process: str
    counts: Counts
    cases: int
    """Cases that the events belong to."""
    seconds: float
    load_id: int | None
    """Null when the same bytes had been loaded before."""
    transitions: dict[str, str]
    """The lifecycle words found and what they were taken for."""
    limitations: tuple[Limitation, ...] = ()
    """What the source could not tell."""
    processes: tuple[str, ...] = ()
    """The processes that got new events, in alphabetical order."""
    touched: int = 0
    """Cases in which something changed."""


class Writer:
    """Use it through `EventStore.write`, which holds the lock and publishes at the end."""

    def __init__(self, store: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self.store = store
        self.connection = connection

    def load(
        self,
        select: str,
        *,
        source: str,
        process: str,
        origin: str = "",
        fingerprint: str | None = None,
        given: Collection[str] | None = None,
        notes: Sequence[tuple[str, str]] = (),
        tell: Progress | None = None,
        load_id: int | None = None,
        close: Callable[[int], None] | None = None,
    ) -> Loaded:
        """Merge the events of `select`, a SELECT with the columns of `BATCH`.

        One transaction per few million events, each whole cases; interrupted, the next load with
        the same `fingerprint` goes on where this one ended. Nothing is loaded twice. `given` names
        the columns that may hold something, by default all of them. `close` is called with the
        load's id in the last of the transactions; `load_id` goes on with a load begun before.
        """
        started_at = time.monotonic()
        tell = tell or (lambda _what, _share: None)
        with engine.translated(self.store):
            with self.transaction(), engine.watched(self.connection, _share_of(tell, "Reading")):
                staged = stage(self.connection, select, process=process, given=given)
                if load_id is None:
                    started = loads.start(
                        self.connection, source=source, process=process, origin=origin,
                        fingerprint=fingerprint, notes=notes,
                    )  # fmt: skip
                else:
                    started = loads.going_on(self.connection, load_id)
            counts, touched = self._merge_all(staged, started, source, tell, close)
            with self.transaction():
                loads.finish(self.connection, started.load_id, time.monotonic() - started_at)
            unstage(self.connection)
        audit.note(
            self.store, "load", load_id=started.load_id, source=source, process=process,
            origin=origin, fingerprint=fingerprint, read=counts.read, new=counts.new,
        )  # fmt: skip
        seconds = time.monotonic() - started_at
        return Loaded(
            source, process, counts, staged.cases, seconds, started.load_id, staged.transitions,
            touched=touched,
        )  # fmt: skip

    def append(
        self,
        events: pl.DataFrame,
        *,
        source: str,
        process: str,
        scope: str = "",
        load_id: int | None = None,
        cursor: str | None = None,
        limitations: Sequence[Limitation] = (),
    ) -> Loaded:
        """Merge one batch of a system that is read in pages.

        Its cursor, kept per `source` and `scope`, and what the source could not tell are stored in
        the transaction of its last event. With `load_id` the batch goes on with that load: the
        counts are those of the whole of it, the cases those of this batch. A batch in which all is
        known leaves nothing but its cursor, so that asking often costs readers nothing.
        """
        before = self.changes()

        def close(load_id: int) -> None:
            limit(self.connection, limitations, process=process, load_id=load_id)
            if cursor is not None:
                cursors.move(self.connection, source, scope, cursor, load_id)

        self.connection.register("appended", with_all_columns(events))
        try:
            loaded = self.load(
                "select columns(*) from appended",
                source=source,
                process=process,
                origin=scope,
                # Also those that hold nothing here: a correction may take a value away.
                given=[name for name in BATCH if name in events.columns],
                load_id=load_id,
                close=close,
            )
        finally:
            self.connection.unregister("appended")
        if load_id is None and not loaded.touched and not loaded.counts.rejected:
            self._undo(loaded, before)
            return replace(loaded, load_id=None)
        return loaded

    def settle(self, loaded: Loaded, since: datetime | None) -> Loaded:
        """End a load: keep what its events show that its source could not tell.

        `since` is the time of the latest event of the same source before it.
        """
        if loaded.load_id is None:
            return loaded
        with engine.translated(self.store), self.transaction():
            seen = honesty.of_load(self.connection, loaded.load_id, since)
            limit(self.connection, seen, process=loaded.process, load_id=loaded.load_id)
        return replace(
            loaded,
            limitations=honesty.found(self.connection, loaded.load_id),
            processes=loads.processes_of(self.connection, loaded.load_id),
        )

    def define(self, definitions: Sequence[Definition], *, source: str, process: str) -> int:
        """Keep modelled workflows; returns how many the store did not have yet."""
        with engine.translated(self.store):
            new = unknown(self.connection, definitions, process=process)
            if not new:
                return 0
            with self.transaction():
                define(self.connection, new, source=source, process=process, load_id=None)
        audit.note(self.store, "define", source=source, process=process, definitions=len(new))
        return len(new)

    def loaded_before(self, fingerprint: str, process: str) -> Counts | None:
        """What the finished load of the same bytes with the same options counted, if any."""
        return loads.counted_before(self.connection, fingerprint, process)

    def rebuild(self) -> int:
        """Derive everything anew; returns the number of cases."""
        with engine.translated(self.store), self.transaction():
            cases = prepare.rebuild(self.connection)
        audit.note(self.store, "prepare", cases=cases)
        return cases

    def republish(self) -> None:
        """Have the store published when the block ends, also when nothing in it changed."""
        with engine.translated(self.store), self.transaction():
            pass

    def compact(self) -> tuple[int, int]:
        """Write the store anew without freed space; the bytes before and after."""
        path = self.store / DATABASE
        fresh = path.with_name(f"{path.name}.compact")
        with engine.translated(self.store):
            self.connection.execute("checkpoint")
            before = path.stat().st_size
            fresh.unlink(missing_ok=True)
            self.connection.execute(f"attach {_quoted(fresh)} as compacted")
            self.connection.execute(f"copy from database {path.stem} to compacted")
            self.connection.execute("update compacted.format set changes = changes + 1")
            self.connection.execute("detach compacted")
            self.connection.close()
            fresh.rename(path)
            self.connection = engine.writing(path, self.store / SCRATCH)
        audit.note(self.store, "compact", before=before, after=path.stat().st_size)
        return before, path.stat().st_size

    def changes(self) -> int:
        """How many transactions have changed this store since it was made."""
        return int(self._scalar("select changes from format"))

    def unfinished(self) -> bool:
        """Whether the last load was interrupted and goes on when it is run again.

        What is read in pages begins anew; each of its pages was whole.
        """
        return bool(
            self._scalar(
                "select count(*) from load where not finished and fingerprint is not null "
                "and load_id = (select max(load_id) from load)"
            )
        )

    def _merge_all(
        self,
        staged: Staged,
        started: loads.Started,
        source: str,
        tell: Progress,
        close: Callable[[int], None] | None,
    ) -> tuple[Counts, int]:
        """What became of all events of the load, and in how many cases something changed."""
        counts, touched = started.counts, 0
        # A file of rejects alone still has one batch, which carries them.
        ranges = staged.ranges or ((0, 0),)
        for number, cases in enumerate(ranges):
            if number < started.batches_done:
                continue
            tell("Merging", number / len(ranges))
            with self.transaction():
                batch = merge(
                    self.connection, staged, cases=cases, source=source, load_id=started.load_id
                )
                if number == 0:
                    batch += loads.reject(self.connection, staged, source, started.load_id)
                touched += self._scalar("select count(*) from touched")
                prepare.prepare_touched(self.connection)
                counts += batch
                counts.check()
                loads.record(self.connection, started.load_id, number + 1, counts)
                if close and number + 1 == len(ranges):
                    close(started.load_id)
        tell("Merging", 1.0)
        return counts, touched

    def _undo(self, loaded: Loaded, changes: int) -> None:
        """Forget a load in which all was known: what readers see is what it was before."""
        self.connection.execute("begin transaction")
        for table in ("load", "limitation"):
            self.connection.execute(f"delete from {table} where load_id = $1", [loaded.load_id])
        self.connection.execute("update format set changes = $1", [changes])
        self.connection.execute("commit")

    def _scalar(self, sql: str) -> Any:
        # To the end: a result that is still open refuses to let frames be registered.
        ((value,),) = self.connection.execute(sql).fetchall()
        return value

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that the block changes, or nothing; readers see it at the next publishing."""
        self.connection.execute("begin transaction")
        try:
            yield
            self.connection.execute("update format set changes = changes + 1")
        except BaseException:
            self.connection.execute("rollback")
            raise
        self.connection.execute("commit")

    def close(self) -> None:
        """Write everything into the one file and let go of it."""
        with engine.translated(self.store):
            try:
                self.connection.execute("checkpoint")
            finally:
                self.connection.close()

    def publish(self, path: Path) -> snapshots.Snapshot:
        """Make the closed store what everybody reads."""
        return snapshots.publish(self.store, path, _checked)


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _checked(path: Path) -> int:
    """The number of changes in a copy of the store that does not contradict itself."""
    with engine.translated(path):
        connection = duckdb.connect(path, read_only=True)
        try:
            invariants.check_quickly(connection)
            invariants.check_readable(connection)
            row = connection.execute("select changes from format").fetchone()
            return int(row[0]) if row else 0
        finally:
            connection.close()


def _share_of(tell: Progress, what: str) -> Callable[[float], None]:
    return lambda share: tell(what, share)
