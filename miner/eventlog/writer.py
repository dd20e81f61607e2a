"""The one writer of a store: loads into it, prepares, publishes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from miner.eventlog import audit, cursors, engine, honesty, invariants, prepare, snapshots
from miner.eventlog.definitions import Definition, Limitation, define, limit
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


@dataclass(frozen=True)
class _Started:
    load_id: int
    batches_done: int
    counts: Counts


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
            with self._transaction(), engine.watched(self.connection, _share_of(tell, "Reading")):
                staged = stage(self.connection, select, process=process, given=given)
                started = self._started(load_id) or self._start(
                    source, process, origin, fingerprint, notes
                )
            counts = self._merge_all(staged, started, source, tell, close)
            self._finish(started.load_id, started_at)
            unstage(self.connection)
        audit.note(
            self.store, "load", load_id=started.load_id, source=source, process=process,
            origin=origin, fingerprint=fingerprint, read=counts.read, new=counts.new,
        )  # fmt: skip
        seconds = time.monotonic() - started_at
        return Loaded(
            source, process, counts, staged.cases, seconds, started.load_id, staged.transitions
        )

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
        counts are those of the whole of it, the cases those of this batch.
        """

        def close(load_id: int) -> None:
            limit(self.connection, limitations, process=process, load_id=load_id)
            if cursor is not None:
                cursors.move(self.connection, source, scope, cursor, load_id)

        self.connection.register("appended", with_all_columns(events))
        try:
            return self.load(
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

    def settle(self, loaded: Loaded, since: datetime | None) -> Loaded:
        """End a load: keep what its events show that its source could not tell.

        `since` is the time of the latest event of the same source before it.
        """
        if loaded.load_id is None:
            return loaded
        with engine.translated(self.store), self._transaction():
            seen = honesty.of_load(self.connection, loaded.load_id, since)
            limit(self.connection, seen, process=loaded.process, load_id=loaded.load_id)
        rows = self.connection.execute(_PROCESSES, [loaded.load_id]).fetchall()
        return replace(
            loaded,
            limitations=honesty.found(self.connection, loaded.load_id),
            processes=tuple(process for (process,) in rows),
        )

    def define(self, definitions: Sequence[Definition], *, source: str, process: str) -> int:
        """Keep modelled workflows; returns how many the store did not have yet."""
        with engine.translated(self.store), self._transaction():
            new = define(self.connection, definitions, source=source, process=process, load_id=None)
        if new:
            audit.note(self.store, "define", source=source, process=process, definitions=new)
        return new

    def loaded_before(self, fingerprint: str, process: str) -> Counts | None:
        """What the finished load of the same bytes with the same options counted, if any."""
        row = self.connection.execute(
            'select read, "new", duplicate, corrected, unchanged, rejected from load '
            "where fingerprint = $1 and process = $2 and finished order by load_id limit 1",
            [fingerprint, process],
        ).fetchone()
        return Counts(*row) if row else None

    def rebuild(self) -> int:
        """Derive everything anew; returns the number of cases."""
        with engine.translated(self.store), self._transaction():
            cases = prepare.rebuild(self.connection)
        audit.note(self.store, "prepare", cases=cases)
        return cases

    def republish(self) -> None:
        """Have the store published when the block ends, also when nothing in it changed."""
        with engine.translated(self.store), self._transaction():
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
        """Whether the last load was interrupted and not run again since."""
        return bool(
            self._scalar(
                "select count(*) from load "
                "where not finished and load_id = (select max(load_id) from load)"
            )
        )

    def _started(self, load_id: int | None) -> _Started | None:
        row = self.connection.execute(
            'select read, "new", duplicate, corrected, unchanged, rejected from load '
            "where load_id = $1",
            [load_id],
        ).fetchone()
        return _Started(load_id, 0, Counts(*row)) if load_id is not None and row else None

    def _start(
        self,
        source: str,
        process: str,
        origin: str,
        fingerprint: str | None,
        notes: Sequence[tuple[str, str]],
    ) -> _Started:
        row = self.connection.execute(
            "select load_id, code_version, batches_done, "
            'read, "new", duplicate, corrected, unchanged, rejected '
            "from load where fingerprint = $1 and process = $2 and not finished",
            [fingerprint, process],
        ).fetchone()
        if row:
            # Another version may cut batches elsewhere: then nothing is skipped, only known.
            done = row[2] if row[1] == code_version() else 0
            return _Started(row[0], done, Counts(*row[3:]))
        load_id = self._scalar("select coalesce(max(load_id), 0) + 1 from load")
        self.connection.execute(
            _NEW_LOAD,
            {
                "load_id": load_id,
                "source": source,
                "process": process,
                "origin": origin,
                "fingerprint": fingerprint,
                "notes": json.dumps(list(notes), ensure_ascii=False),
                "code_version": code_version(),
            },
        )
        return _Started(load_id, 0, Counts())

    def _merge_all(
        self,
        staged: Staged,
        started: _Started,
        source: str,
        tell: Progress,
        close: Callable[[int], None] | None,
    ) -> Counts:
        counts = started.counts
        # A file of rejects alone still has one batch, which carries them.
        ranges = staged.ranges or ((0, 0),)
        for number, cases in enumerate(ranges):
            if number < started.batches_done:
                continue
            tell("Merging", number / len(ranges))
            with self._transaction():
                batch = merge(
                    self.connection, staged, cases=cases, source=source, load_id=started.load_id
                )
                if number == 0:
                    batch += self._first_batch_extra(staged, source, started.load_id)
                prepare.prepare_touched(self.connection)
                counts += batch
                counts.check()
                self._record(started.load_id, number + 1, counts)
                if close and number + 1 == len(ranges):
                    close(started.load_id)
        tell("Merging", 1.0)
        return counts

    def _first_batch_extra(self, staged: Staged, source: str, load_id: int) -> Counts:
        """Rows that became no event, and repeats that staging removed, counted once per load."""
        self.connection.execute(
            "insert into rejected select $load_id, coalesce(r.process, l.process), $source, "
            "r.reason, r.record from staged_rejected as r cross join load as l "
            "where l.load_id = $load_id",
            {"load_id": load_id, "source": source},
        )
        extra = staged.duplicate + staged.rejected
        return Counts(read=extra, duplicate=staged.duplicate, rejected=staged.rejected)

    def _record(self, load_id: int, batches_done: int, counts: Counts) -> None:
        self.connection.execute(
            'update load set batches_done = $1, read = $2, "new" = $3, duplicate = $4, '
            "corrected = $5, unchanged = $6, rejected = $7 where load_id = $8",
            [batches_done, counts.read, counts.new, counts.duplicate, counts.corrected,
             counts.unchanged, counts.rejected, load_id],
        )  # fmt: skip

    def _finish(self, load_id: int, started_at: float) -> None:
        with self._transaction():
            self.connection.execute(
                "update load set finished = true, seconds = coalesce(seconds, 0) + $1, "
                "cases = coalesce(cases, 0) + (select count(*) from staged_case), "
                "first_event = least(first_event, (select min(timestamp) from staged)), "
                "last_event = greatest(last_event, (select max(timestamp) from staged)) "
                "where load_id = $2",
                [time.monotonic() - started_at, load_id],
            )

    def _scalar(self, sql: str) -> Any:
        # To the end: a result that is still open refuses to let frames be registered.
        ((value,),) = self.connection.execute(sql).fetchall()
        return value

    @contextmanager
    def _transaction(self) -> Iterator[None]:
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


def code_version() -> str:
    """The version of this package, recorded with every load."""
    try:
        return version("procession")
    except PackageNotFoundError:
        return "unknown"


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


_PROCESSES = """
select process
from process
where process_key in (select process_key from recorded_event where load_id = $1)
order by process
"""

_NEW_LOAD = """
insert into load (
    load_id, source, process, origin, fingerprint, finished, batches_done,
    read, "new", duplicate, corrected, unchanged, rejected, notes, started_at, code_version
)
select
    $load_id, $source, $process, $origin, $fingerprint, false, 0,
    0, 0, 0, 0, 0, 0, $notes, (now() at time zone 'UTC')::timestamp, $code_version
"""
