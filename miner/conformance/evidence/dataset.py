"""What the figures were computed from, and with which programs."""

from __future__ import annotations

import hashlib
import platform
import shlex
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from miner.eventlog import engine
from miner.eventlog.export import export
from miner.eventlog.filters import LogFilter
from miner.eventlog.log import EventLog
from miner.eventlog.schema import INSTANT
from miner.eventlog.snapshots import Snapshot
from miner.output import plain

_LOADS = pl.Schema(
    {
        "load_id": pl.Int64(),
        "source": pl.String(),
        "origin": pl.String(),
        "fingerprint": pl.String(),
        "started_at": INSTANT,
        "read": pl.Int64(),
        "new": pl.Int64(),
        "duplicate": pl.Int64(),
        "corrected": pl.Int64(),
        "unchanged": pl.Int64(),
        "rejected": pl.Int64(),
        "code_version": pl.String(),
    }
)
_PACKAGES = ("procession", "duckdb", "polars", "pyarrow", "numpy", "numba", "pm4py", "r4pm")


def dataset(log: EventLog, snapshot: Snapshot, scratch: Path) -> dict[str, Any]:
    """The data of a log: where it came from, how much it is, and a digest of all its events.

    The digest is the SHA-256 of the CSV file that `procession export` writes for the same process
    and filter: every event of every case that meets the filter, in order of case and time. That
    file is written into the folder `scratch`, and removed again.
    """
    export_command = shlex.join(
        ["procession", "export", log.process, *flags(log.condition), "--out", "events.csv"]
    )
    return {
        "process": log.process,
        "snapshot": {
            "version": snapshot.version,
            "file": snapshot.file,
            "sha256": snapshot.sha256,
            "published_at": snapshot.published_at,
        },
        "sha256": _digest(log, scratch),
        "sha256_of": f"the file that `{export_command}` writes, on the same snapshot",
        **plain(log.row(_COUNTS)),
        "loads": plain(log.query(_LOADED, _LOADS)),
    }


def environment() -> dict[str, Any]:
    """The versions of everything that took part."""
    return {
        "packages": {name: version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "store_format": engine.FORMAT,
    }


def flags(condition: LogFilter) -> list[str]:
    """A filter as the flags of the command line."""
    found = []
    for each in condition.conditions:
        found += ["--not"] * each.inverted + [f"--{each.kind}={each.value}"]
    return found


def _digest(log: EventLog, scratch: Path) -> str:
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        path = Path(folder) / "events.csv"
        export(log, path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


_COUNTS = """
select
    (select count(*) from "case") as cases,
    count(*) as events,
    min(timestamp) as first_event,
    max(timestamp) as last_event
from recorded_event
"""

_LOADED = """
select
    load_id, source, origin, fingerprint, started_at, read, "new", duplicate, corrected, unchanged,
    rejected, code_version
from load
where load_id in (select distinct load_id from recorded_event)
order by load_id
"""
