"""DuckDB connections: one kind that writes a store, one that only reads a snapshot."""

from __future__ import annotations

import errno
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path

import duckdb

from miner.errors import InputError, MinerError, StoreCorruptError, StoreError, StoreLockedError
from miner.settings import settings

FORMAT = 3
"""Version of the data model; a store of another version is refused."""

_hardening = threading.Lock()


def schema_statements() -> str:
    """The SQL that makes the tables of an empty store."""
    return (files("miner.eventlog") / "schema.sql").read_text(encoding="utf-8")


def in_memory() -> duckdb.DuckDBPyConnection:
    """An empty store that lives and ends with its connection."""
    connection = duckdb.connect()
    connection.execute("set global TimeZone = 'UTC'")
    connection.execute(schema_statements())
    return connection


def writing(path: Path, scratch: Path) -> duckdb.DuckDBPyConnection:
    """The store at `path`, opened for the one writer; spills into `scratch`."""
    connection = duckdb.connect(
        path,
        config={
            "memory_limit": settings().loading_memory,
            "temp_directory": str(scratch),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "allow_persistent_secrets": False,
            "python_enable_replacements": False,
            **_threads(),
        },
    )
    connection.execute("set global TimeZone = 'UTC'")
    # Counted for our own progress bar, not printed: stdout belongs to results.
    connection.execute("set enable_progress_bar = true")
    connection.execute("set enable_progress_bar_print = false")
    return connection


def reading(path: Path) -> duckdb.DuckDBPyConnection:
    """A snapshot, hardened: it can be neither changed nor used to reach anything outside it.

    Raises FileNotFoundError when it is not there.
    """
    if not path.exists():
        raise FileNotFoundError(path)
    with _hardening:
        connection = duckdb.connect(
            path,
            read_only=True,
            config={
                "memory_limit": settings().query_memory,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "allow_community_extensions": False,
                "allow_persistent_secrets": False,
                "python_enable_replacements": False,
                **_threads(),
            },
        )
        _harden(connection, path.parent / f"spill-{os.getpid()}")
    return connection


def _harden(connection: duckdb.DuckDBPyConnection, spill: Path) -> None:
    """All connections of a process to one file share its settings, and only the first may set."""
    ((locked,),) = connection.execute("select current_setting('lock_configuration')").fetchall()
    if locked:
        return
    folder = str(spill).replace("'", "''")
    connection.execute(f"set global temp_directory = '{folder}'")
    connection.execute("set global TimeZone = 'UTC'")
    connection.execute(f"set global max_execution_time = {settings().query_seconds * 1000:d}")
    connection.execute("set global enable_external_access = false")
    connection.execute("set global lock_configuration = true")


def _threads() -> dict[str, int]:
    return {"threads": settings().threads} if settings().threads > 0 else {}


@contextmanager
def translated(path: Path | None = None) -> Iterator[None]:
    """Turn what DuckDB raises into an error a person can act on."""
    try:
        yield
    except duckdb.Error as error:
        raise _translated(error, path) from error


@contextmanager
def files_translated(path: Path) -> Iterator[None]:
    """Turn what the file system refuses into an error a person can act on."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise no_space(f" {path}") from error
        raise StoreError(
            f"The store {path} cannot be used: {error.strerror or error}.",
            hint="See that the folder is there and that you may write to it.",
        ) from error


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk, not only the bytes of its files."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def no_space(where: str) -> StoreError:
    """What to say when the disk is full."""
    return StoreError(
        f"There is no space left for the store{where}.",
        hint="Free some disk space and run the command again; nothing that was loaded is lost.",
    )


def _translated(error: duckdb.Error, path: Path | None) -> MinerError:
    text = re.sub(r"\s+", " ", str(error)).strip()
    where = f" {path}" if path else ""
    if "Could not set lock" in text:
        return StoreLockedError(
            f"The store{where} is open in another process.", hint="Wait for it to finish."
        )
    if "No space left" in text or "max_temp_directory_size" in text or "Disk full" in text:
        return no_space(where)
    if isinstance(error, duckdb.OutOfMemoryException):
        return StoreError(
            "The engine needs more memory for this than it may take.",
            hint="Set PROCESSION_MEMORY_LIMIT to more, for example 8GB.",
        )
    if isinstance(error, duckdb.InterruptException):
        return StoreError(
            f"The query was stopped after {settings().query_seconds} s.",
            hint="Narrow the filter, or set PROCESSION_QUERY_SECONDS to more.",
        )
    if is_corrupt(error):
        return StoreCorruptError(
            f"The store{where} is damaged: {text[:200]}.", hint="Run `procession verify --repair`."
        )
    if isinstance(error, duckdb.IOException | duckdb.PermissionException):
        return StoreError(f"The store{where} cannot be used: {text[:200]}.")
    if isinstance(error, duckdb.DataError | duckdb.InvalidInputException):
        return InputError(f"A value does not fit: {text[:200]}.")
    return StoreError(f"The engine refused: {text[:300]}.")


def is_corrupt(error: duckdb.Error) -> bool:
    """Whether `error` says that bytes on disk are not what was written."""
    text = str(error).lower()
    signs = ("corrupt", "checksum", "not a valid duckdb", "failure while replaying wal", "serializ")
    return any(sign in text for sign in signs)


@contextmanager
def watched(
    connection: duckdb.DuckDBPyConnection, tell: Callable[[float], None] | None
) -> Iterator[None]:
    """Tell the share done of the running query, ten times a second, from a thread of its own."""
    if tell is None:
        yield
        return
    ended = threading.Event()

    def poll() -> None:
        while not ended.wait(0.1):
            with suppress(duckdb.Error):
                share = connection.query_progress()
                tell(max(0.0, min(1.0, share / 100)))

    thread = threading.Thread(target=poll, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
