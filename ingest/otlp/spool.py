"""The spool: what was received, on disk before anybody is told so, until it is in the store."""

from __future__ import annotations

import fcntl
import os
import queue
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

from miner.errors import InputError, StoreError

PROTOBUF, JSON = "protobuf", "json"
WAITING = 256
"""Batches that may wait for the disk at once; further ones are turned away."""
TOGETHER = 64
"""Batches that are made durable with one write."""
PIECE = 8 << 20
"""Bytes of batches that are decoded at once."""


class SpoolFullError(Exception):
    """More is waiting than may; whoever sends has to come again later."""


@dataclass(frozen=True)
class Batch:
    """What one request brought."""

    number: int
    received: float
    """Seconds since 1970."""
    kind: str
    body: bytes


class Spool:
    """A folder of batches in the order in which they came; one process uses it at a time.

    `put` may be called in any thread, the rest in the one that made the spool.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = _locked(folder / "receiver.lock")
        self._path = folder / "spool.sqlite"
        self._most = most_bytes
        self._waiting: queue.Queue[tuple[str, bytes, Future[int]] | None] = queue.Queue(WAITING)
        self._connection = self._opened()
        self._connection.executescript(_TABLES)
        self._connection.execute("insert or ignore into spool values (1, ?)", [uuid4().hex])
        self._connection.commit()
        self.name: str = self._one("select name from spool")
        # Until the first load all of it counts: it is not known yet what the store has.
        self._bytes = int(self._one("select coalesce(sum(length(body)), 0) from batch"))
        self._writer = Thread(target=self._write, name="spool", daemon=True)
        self._writer.start()

    def put(self, kind: str, body: bytes) -> Future[int]:
        """Keep a batch; the result is there when it is on the disk.

        Raises SpoolFullError when too much is waiting to be written or to be loaded.
        """
        if self._bytes + len(body) > self._most:
            raise SpoolFullError
        kept: Future[int] = Future()
        try:
            self._waiting.put_nowait((kind, body, kept))
        except queue.Full:
            raise SpoolFullError from None
        return kept

    def batches(self, after: int, until: int) -> Iterator[list[Batch]]:
        """The batches after one up to another, in pieces of a bounded size."""
        while rows := self._connection.execute(_NEXT, [after, until]).fetchall():
            piece: list[Batch] = []
            size = 0
            for row in rows:
                piece.append(Batch(*row))
                size += len(piece[-1].body)
                if size >= PIECE:
                    break
            after = piece[-1].number
            yield piece

    def last(self) -> int:
        """The number of the last batch; 0: there is none."""
        return int(self._one("select coalesce(max(number), 0) from batch"))

    def settled(self, number: int, before: float) -> tuple[int, int, float]:
        """Of the batches up to one that came before an instant: the last, all bytes, the oldest."""
        row = self._connection.execute(_SETTLED, [number, before]).fetchone()
        return int(row[0]), int(row[1]), float(row[2])

    def forget(self, number: int) -> None:
        """Remove the batches up to one."""
        with self._connection:
            self._connection.execute("delete from batch where number <= ?", [number])

    def count(self, loaded: int) -> None:
        """Note how much is waiting, now that the batches up to one are in the store."""
        sql = f"select coalesce(sum(length(body)), 0) from batch where number > {loaded:d}"
        self._bytes = int(self._one(sql))

    def places(self, keys: Sequence[str]) -> dict[str, str]:
        """What was remembered of those keys."""
        sql = "select key, value from place where key in ({marks})"
        return {row[0]: row[1] for row in self._some(sql, keys)}

    def keys(self, values: Sequence[str]) -> list[str]:
        """The keys for which one of those values was remembered."""
        return [
            key for (key,) in self._some("select key from place where value in ({marks})", values)
        ]

    def place(self, places: Mapping[str, str], *, before: float) -> None:
        """Remember where something belongs, once and for all; forget what is as old as that."""
        now = time.time()
        with self._connection:
            self._connection.executemany(
                "insert into place values (?, ?, ?) on conflict do nothing",
                [(key, value, now) for key, value in places.items()],
            )
            self._connection.execute("delete from place where placed < ?", [before])

    def waiting(self) -> list[str]:
        """The traces that were not loaded yet because something of them was missing."""
        return [trace for (trace,) in self._connection.execute("select trace_id from waiting")]

    def wait(self, traces: Iterable[str], *, only: bool = False) -> None:
        """Note traces that wait, beside those noted before or instead of them."""
        with self._connection:
            if only:
                self._connection.execute("delete from waiting")
            self._connection.executemany(
                "insert or ignore into waiting values (?)", [(trace,) for trace in traces]
            )

    def close(self) -> None:
        """Write what is waiting, and let go of the folder."""
        self._waiting.put(None)
        self._writer.join()
        self._connection.close()
        os.close(self._lock)

    def flush(self) -> None:
        """Wait until everything that was put is on the disk."""
        while self._waiting.unfinished_tasks:
            time.sleep(0.01)

    def _some(self, sql: str, wanted: Sequence[str]) -> list[tuple[str, ...]]:
        found: list[tuple[str, ...]] = []
        for i in range(0, len(wanted), 500):
            part = list(wanted[i : i + 500])
            marks = ", ".join("?" * len(part))
            found += self._connection.execute(sql.format(marks=marks), part).fetchall()
        return found

    def _write(self) -> None:
        connection = self._opened()
        try:
            while True:
                taken = [self._waiting.get()]
                while len(taken) < TOGETHER and taken[-1] is not None and self._waiting.qsize():
                    taken.append(self._waiting.get())
                batches = [each for each in taken if each is not None]
                self._commit(connection, batches)
                for _ in taken:
                    self._waiting.task_done()
                if len(batches) < len(taken):
                    return
        finally:
            connection.close()

    def _commit(
        self, connection: sqlite3.Connection, batches: list[tuple[str, bytes, Future[int]]]
    ) -> None:
        now = time.time()
        try:
            with connection:
                numbers = [
                    connection.execute(
                        "insert into batch (received, kind, body) values (?, ?, ?)",
                        [now, kind, body],
                    ).lastrowid
                    for kind, body, _ in batches
                ]
        except sqlite3.Error as error:
            for _, _, kept in batches:
                kept.set_exception(StoreError(f"The spool cannot be written: {error}."))
            return
        for (_, body, kept), number in zip(batches, numbers, strict=True):
            self._bytes += len(body)
            kept.set_result(number or 0)

    def _opened(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(self._path, timeout=60)
            connection.execute("pragma journal_mode = wal")
            # Each commit is on the disk when it returns: a power cut loses nothing, either.
            connection.execute("pragma synchronous = full")
        except sqlite3.Error as error:
            raise StoreError(f"The spool {self._path} cannot be opened: {error}.") from error
        return connection

    def _one(self, sql: str) -> Any:
        return self._connection.execute(sql).fetchone()[0]


def _locked(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise InputError(
            f"Another receiver uses the spool {path.parent}.",
            hint="End it, or name another folder with --spool.",
        ) from error
    return descriptor


_TABLES = """
create table if not exists spool (one integer primary key check (one = 1), name text not null);
create table if not exists batch (
    number integer primary key autoincrement,
    received real not null,
    kind text not null,
    body blob not null
);
create table if not exists place (
    key text primary key,
    value text not null,
    placed real not null
) without rowid;
create table if not exists waiting (trace_id text primary key) without rowid;
create index if not exists place_value on place (value);
"""

_SETTLED = """
select coalesce(max(number), 0), coalesce(sum(length(body)), 0), coalesce(min(received), 0)
from batch
where number <= ? and received < ?
"""

_NEXT = """
select number, received, kind, body
from batch
where number > ? and number <= ?
order by number
limit 64
"""
