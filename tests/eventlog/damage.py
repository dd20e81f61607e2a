"""A store whose writer was killed, with the log that it left behind, to be damaged further."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks import kills
from benchmarks.contents import digest
from miner.eventlog import invariants
from miner.eventlog.store import EventStore

ROOT = Path(__file__).parents[2]
EVENTS = 240
BATCH_EVENTS = 40

_WRITER = """
import sys
from pathlib import Path
from benchmarks import kills
from miner.eventlog import loads, staging, writer

def wait(*_):
    print("now", flush=True)
    sys.stdin.read()

staging.BATCH_EVENTS = 40
folder, file, moment = sys.argv[1:]
if moment == "before the end":
    loads.finish = wait
if moment == "before the log is written back":
    writer.Writer.close = wait
kills.load(Path(folder), Path(file))
"""


@dataclass(frozen=True)
class Disturbed:
    """A store in which the first half of a log is published and the whole was being loaded."""

    folder: Path
    whole: Path
    old: str
    """What readers saw before, as a digest."""
    new: str
    """What an undisturbed load of the whole leaves."""

    @property
    def log(self) -> Path:
        return self.folder / "store.duckdb.wal"

    def copy(self, folder: Path) -> Disturbed:
        """The same store in another folder, to be damaged."""
        shutil.copytree(self.folder, folder)
        return Disturbed(folder, self.whole, self.old, self.new)

    def load_again(self) -> str:
        """Run the load to its end; the digest of what readers see then."""
        kills.load(self.folder, self.whole)
        return seen(self.folder)


def seen(folder: Path) -> str:
    """What readers see, as a digest."""
    connection = EventStore(folder).read()
    try:
        return digest(connection)
    finally:
        connection.close()


def contradictions(store: EventStore) -> list[str]:
    """What does not hold of the store's own file, after recovery."""
    with store.write() as writer:
        found = invariants.findings(writer.connection, invariants.QUICK | invariants.THOROUGH)
        found += [invariants.Finding("readable", invariants.is_readable(writer.connection))]
    return [finding.statement for finding in found if not finding.holds]


def disturb(folder: Path, moment: str) -> Disturbed:
    """Load half of a log, then kill a writer of the whole at a moment."""
    events = kills.log(EVENTS, seed=5)
    half, whole = folder / "half.parquet", folder / "whole.parquet"
    events.head(EVENTS // 2).write_parquet(half)
    events.write_parquet(whole)
    store, undisturbed = folder / "store", folder / "undisturbed"
    kills.load(store, half)
    old = seen(store)
    shutil.copytree(store, undisturbed)
    _load_and_stop(undisturbed, whole, "never")
    _load_and_stop(store, whole, moment)
    return Disturbed(store, whole, old, seen(undisturbed))


def _load_and_stop(folder: Path, whole: Path, moment: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(folder), str(whole), moment],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    ) as writer:  # fmt: skip
        assert writer.stdout
        if moment != "never":
            assert writer.stdout.readline() == "now\n"
            os.kill(writer.pid, signal.SIGKILL)
    assert writer.returncode == (0 if moment == "never" else -signal.SIGKILL)
