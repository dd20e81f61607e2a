"""The pack as a whole: hold the cases, write every file, close the chain."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from miner.conformance.allowances import allowances
from miner.conformance.conform import conformance
from miner.conformance.evidence.archive import Archive
from miner.conformance.evidence.contents import contents
from miner.conformance.evidence.dataset import dataset, environment
from miner.conformance.evidence.exceptions import Counts
from miner.conformance.evidence.manifest import Manifest
from miner.conformance.evidence.models import models_of
from miner.conformance.evidence.population import draw
from miner.conformance.evidence.question import Answer, Made, Question, Spread
from miner.conformance.held import Held, Progress, hold
from miner.conformance.rules.evaluation import evaluate
from miner.conformance.workflows import Workflows
from miner.errors import InputError
from miner.eventlog import audit
from miner.eventlog.log import EventLog
from miner.eventlog.snapshots import Snapshot
from miner.eventlog.store import EventStore
from miner.output import plain

ACTION = "evidence"
"""What a pack is called in the audit trail."""

Choose = Callable[[EventLog], Workflows]


@dataclass(frozen=True)
class Pack:
    """A pack that was written. Its `root` is worth as much as the place it is kept in."""

    process: str
    out: str
    root: str
    previous_root: str | None
    made_at: datetime
    made_by: str
    cases: int
    conforming_cases: int
    accepted_cases: int
    exceptions: int
    files: int
    bytes: int


def write_pack(
    store: EventStore, question: Question, choose: Choose, out: Path, *,
    at: datetime | None = None, seconds: float = 300.0, progress: Progress | None = None,
) -> Pack:  # fmt: skip
    """Answer a question with everything it was answered from, as one zip file.

    `choose` says which models the cases of the log are held against. `at` is the time (UTC, naive)
    that the pack states as its own: the same store, question and time give the same bytes. The
    audit trail of the store keeps the root. Alignments found are kept in the store.

    Raises InputError for a time before the last load, in the future, or at which the allow-list
    was another, and for a file that cannot be written; ModelError for a model that cannot end.
    """
    with _written_whole(out) as file:
        held, snapshot = _held(store, question, choose, seconds, progress)
        made = Made(_time(held.log, at), audit.actor(), _previous_root(store.folder))
        answer = _answer(store, question, held, snapshot, out)
        manifest = _write(file, store, question, made, answer)
    audit.note(
        store.folder, ACTION, process=question.process, root=manifest.root, made_at=made.at,
        file=out.name,
    )  # fmt: skip
    return Pack(
        question.process,
        str(out),
        manifest.root,
        made.previous_root,
        made.at,
        made.by,
        answer.population.cases,
        answer.conformance.conforming_cases,
        answer.conformance.accepted_cases,
        answer.counts.all_found,
        len(manifest.entries),
        out.stat().st_size,
    )


def _held(
    store: EventStore, question: Question, choose: Choose, seconds: float,
    progress: Progress | None,
) -> tuple[Held, Snapshot]:  # fmt: skip
    """The cases held against their models, in a snapshot that has what was found out for that."""
    for _ in range(2):
        snapshot = store.snapshot()
        log = EventLog(store.read(snapshot), question.process).filter(question.condition)
        held = hold(log, choose(log), store=store, seconds=seconds, progress=progress)
        if store.snapshot() == snapshot:
            break
    return held, snapshot


def _answer(
    store: EventStore, question: Question, held: Held, snapshot: Snapshot, out: Path
) -> Answer:
    log = held.log
    return Answer(
        held,
        conformance(held),
        draw(held, question.sample, question.seed),
        Spread.of(held),
        tuple(models_of(held.workflows)),
        evaluate(log, question.rules or ()),
        allowances(log),
        dataset(log, snapshot, out.parent),
        environment(),
        audit.broken_at(store.folder),
        Counts(),
    )


@contextmanager
def _written_whole(out: Path) -> Iterator[BinaryIO]:
    """A file that becomes `out` when the block ends, and is gone when the block fails."""
    unfinished = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        with unfinished.open("wb") as file:
            yield file
        unfinished.replace(out)
    except OSError as error:
        raise InputError(
            f"{out} cannot be written: {error.strerror or error}.",
            hint="Choose another place with --out.",
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)


def _write(
    file: BinaryIO, store: EventStore, question: Question, made: Made, answer: Answer
) -> Manifest:
    trail = store.folder / audit.FILE
    files = contents(question, made, answer, trail.read_bytes() if trail.exists() else b"")
    archive = Archive(file)
    for name, write in files.items():
        with archive.stream(name) as sink:
            write(sink)
    return archive.close_with(_about(question, made, answer))


def _about(question: Question, made: Made, answer: Answer) -> dict[str, Any]:
    return {
        "title": question.heading,
        "process": question.process,
        "made_at": plain(made.at),
        "made_by": made.by,
        "previous_root": made.previous_root,
        "snapshot": answer.dataset["snapshot"],
        "data_sha256": answer.dataset["sha256"],
        "cases": answer.population.cases,
        "exceptions": answer.counts.all_found,
    }


def _time(log: EventLog, at: datetime | None) -> datetime:
    """The time that a pack states: now, or one at which it would have said the same."""
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    if at is None:
        return now
    at = at.replace(microsecond=0)
    loaded = log.row("select max(started_at) as at from load")["at"]
    if at > now or (loaded is not None and at < loaded.replace(microsecond=0)):
        raise InputError(
            f"A pack of {at:%Y-%m-%d %H:%M:%S} cannot be made now.",
            hint="--at lies between the last load and now; both are in UTC.",
        )
    listed = allowances(log)
    ends = pl.min_horizontal("expires_at", "withdrawn_at")
    then = listed.select(in_force=(pl.col("allowed_at") <= at) & (ends > at))["in_force"]
    if not then.equals(listed["in_force"]):
        raise InputError(
            f"The allow-list has changed since {at:%Y-%m-%d %H:%M:%S}.",
            hint="Leave out --at: figures are given with the allow-list of now.",
        )
    return at


def _previous_root(folder: Path) -> str | None:
    """The root of the last pack that the audit trail knows of."""
    trail = folder / audit.FILE
    if not trail.exists():
        return None
    root = None
    for line in trail.read_text(encoding="utf-8", errors="replace").split("\n"):
        if f'"{ACTION}"' in line:
            root = _root_in(line) or root
    return root


def _root_in(line: str) -> str | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None  # cut short by an interruption
    is_pack = isinstance(entry, dict) and entry.get("action") == ACTION
    return str(entry["root"]) if is_pack and "root" in entry else None
