"""Kill the writer at random moments, and see whether anybody ever notices.

    python -m benchmarks.kills --kills 300

Each round starts from the same store, in which the first half of a log was published, and loads
the whole log. The process that loads is killed (SIGKILL) somewhere in its life, often again when
it is run again, and then left to finish. After each kill a reader must see the old state or the
new one; in the end the store must equal that of a run that nobody disturbed.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

import click
import polars as pl

from benchmarks.contents import digest

PROCESS, SOURCE = "orders", "kills"
EVENTS = 2400
BATCH_EVENTS = 500
PHASES = ("open", "stage", "merge", "prepare", "finish", "close", "publish")
_PATIENCE = 60


def log(events: int = EVENTS, seed: int = 1) -> pl.DataFrame:
    """A log with starts, ids, corrections, repeats, facts, and rows that are no events."""
    rng = random.Random(seed)
    rows: list[dict[str, Any]] = []
    for position in range(events):
        with_id = rng.random() < 0.3
        rows.append(
            {
                "case_id": f"c{rng.randrange(events // 8)}",
                "event_id": f"e{rng.randrange(events)}" if with_id else None,
                "version": rng.randrange(3) if with_id else None,
                "activity": rng.choice(("Create", "Check", "Pay", "Ship")),
                "lifecycle": rng.choice(("start", "complete", "complete", "fail")),
                "timestamp": 1_767_600_000_000_000 + rng.randrange(10**4) * 60_000_000,
                "position": position,
                "resource": rng.choice(("ann", "bob", None)),
                "attributes": json.dumps({"amount": rng.randrange(100)}),
                "case_status": "completed" if rng.random() < 0.01 else None,
                "reason": "no timestamp" if rng.random() < 0.01 else None,
                "record": "…",
            }
        )
    frame = pl.DataFrame(rows, infer_schema_length=None)
    return frame.with_columns(pl.col("timestamp").cast(pl.Datetime("us")))


def load(folder: Path, file: Path) -> None:
    """Load a Parquet file, unless the same one was loaded to its end before."""
    from miner.eventlog.schema import BATCH
    from miner.eventlog.store import EventStore

    given = pl.read_parquet_schema(file)
    names = ", ".join(name if name in given else f"null as {name}" for name in BATCH)
    with EventStore(folder).write() as writer:
        if not writer.loaded_before(file.name, PROCESS):
            writer.load(
                f"select {names} from read_parquet('{file}')",
                source=SOURCE,
                process=PROCESS,
                origin=file.name,
                fingerprint=file.name,
                given=[name for name in given if name in BATCH],
            )


def mark_phases(tell: Callable[[str], None]) -> None:
    """Have this process tell when each phase of a load begins, and load in small batches."""
    from miner.eventlog import loads, prepare, snapshots, staging, writer
    from miner.eventlog.store import EventStore

    def marked(function: Callable[..., Any], phase: str) -> Callable[..., Any]:
        @wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            tell(phase)
            return function(*arguments, **options)

        return call

    staging.BATCH_EVENTS = BATCH_EVENTS
    for owner, name, phase in (
        (EventStore, "_open", "open"),
        (writer, "stage", "stage"),
        (writer, "merge", "merge"),
        (prepare, "prepare_touched", "prepare"),
        (loads, "finish", "finish"),
        (writer.Writer, "close", "close"),
        (snapshots, "publish", "publish"),
    ):
        setattr(owner, name, marked(getattr(owner, name), phase))


def serve() -> None:
    """Fork a process for each line `folder file` of stdin; what it tells goes to stdout.

    The libraries are imported once, so that a kill costs no start-up.
    """
    import duckdb  # noqa: F401

    from miner.eventlog.store import EventStore  # noqa: F401

    child = 0
    for line in sys.stdin:
        if child:
            os.waitpid(child, 0)  # only now may another process get its number
        folder, file = json.loads(line)
        child = os.fork()
        if child == 0:
            _run(Path(folder), Path(file))
        _tell(f"pid {child}")
        ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        _tell(f"ended {'killed' if ended.si_code == os.CLD_KILLED else ended.si_status}")


def _run(folder: Path, file: Path) -> None:
    code = 1
    try:
        mark_phases(lambda phase: _tell(f"phase {phase}"))
        load(folder, file)
        code = 0
    finally:
        os._exit(code)


def _tell(text: str) -> None:
    os.write(1, f"{text}\n".encode())


@dataclass
class Victim:
    """A process that forks loaders, each of which can be killed."""

    process: subprocess.Popen[str] = field(
        default_factory=lambda: subprocess.Popen(
            [sys.executable, "-m", "benchmarks.kills", "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[1],
        )
    )

    def run(
        self, folder: Path, file: Path, kill: tuple[str, int, float] | None = None
    ) -> tuple[str, bool, dict[str, list[float]]]:
        """Load; with `kill`, end it `kill[2]` seconds into the `kill[1]`-th time of a phase.

        Returns the phase it was in at its end, whether it was killed, and when phases began.
        """
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps([str(folder), str(file)]) + "\n")
        self.process.stdin.flush()
        pid, phase, began = 0, "", dict[str, list[float]]()
        for line in self.process.stdout:
            word, text = line.split()
            if word == "pid":
                pid = int(text)
            elif word == "ended":
                began["end"] = [time.monotonic()]
                if text not in ("0", "killed"):
                    raise RuntimeError(f"The loader ended with {text} in phase {phase}.")
                return phase, text == "killed", began
            else:
                phase = text
                began.setdefault(phase, []).append(time.monotonic())
            if pid and kill and phase == kill[0] and len(began[phase]) == kill[1]:
                time.sleep(kill[2])
                os.kill(pid, signal.SIGKILL)
                kill = None
        raise RuntimeError("The process that forks loaders is gone.")

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.wait(_PATIENCE)
        self.process.stdout.close()


@dataclass
class Report:
    """What the kills did."""

    phases: Counter[str] = field(default_factory=Counter)
    """Kills by the phase they hit."""
    old: int = 0
    new: int = 0
    late: int = 0
    """Runs that had ended before the kill came."""
    wrong: list[str] = field(default_factory=list)
    """What a reader saw, or what was left in the end, that should not be."""
    rounds: int = 0
    seconds: float = 0

    @property
    def kills(self) -> int:
        """How many processes were killed."""
        return self.phases.total()


def run(folder: Path, kills: int, *, seed: int = 1) -> Report:
    """Kill `kills` loads in stores below `folder`; `Report.wrong` must be empty."""
    started, rng, report, victim = time.monotonic(), random.Random(seed), Report(), Victim()
    try:
        base, whole, undisturbed = folder / "base", folder / "whole.parquet", folder / "undisturbed"
        events = log()
        events.write_parquet(whole)
        events.head(EVENTS // 2).write_parquet(folder / "half.parquet")
        victim.run(base, folder / "half.parquet")
        shutil.copytree(base, undisturbed)
        _, _, began = victim.run(undisturbed, whole)
        states = {_seen(base): "old", _seen(undisturbed): "new"}
        moments = _moments(began)
        while report.kills < kills:
            store = folder / f"round-{report.rounds}"
            shutil.copytree(base, store)
            _round(victim, store, whole, moments, states, rng, report)
    finally:
        victim.close()
    report.seconds = time.monotonic() - started
    return report


def _round(
    victim: Victim,
    folder: Path,
    whole: Path,
    moments: dict[str, list[float]],
    states: dict[str, str],
    rng: random.Random,
    report: Report,
) -> None:
    for _ in range(rng.randint(1, 4)):
        phase = rng.choice([*moments, *(name for name in moments if not report.phases[name])])
        number = rng.randrange(len(moments[phase]))
        patience = rng.uniform(0, 1.1) * moments[phase][number]
        hit, killed, _ = victim.run(folder, whole, (phase, number + 1, patience))
        report.phases[hit] += killed
        report.late += not killed
        state = states.get(_seen(folder), "neither the old state nor the new one")
        report.old += state == "old"
        report.new += state == "new"
        if state not in ("old", "new"):
            report.wrong.append(f"after a kill in {hit}, a reader saw {state}: {folder}")
    victim.run(folder, whole)
    report.rounds += 1
    if states.get(_seen(folder)) != "new":
        report.wrong.append(f"after all, the store differs: {folder}")
    else:
        shutil.rmtree(folder)


def _moments(began: dict[str, list[float]]) -> dict[str, list[float]]:
    """How long each phase lasted, each time."""
    instants = sorted(instant for moments in began.values() for instant in moments)
    return {
        phase: [min(later for later in instants if later > moment) - moment for moment in moments]
        for phase, moments in began.items()
        if phase != "end"
    }


def _seen(folder: Path) -> str:
    """What a reader sees: the content of the published snapshot, as one hash."""
    from miner.eventlog.store import EventStore

    connection = EventStore(folder).read()
    try:
        return digest(connection)
    finally:
        connection.close()


@click.command()
@click.option("--kills", default=300, help="How many processes to kill.")
@click.option("--seed", default=1)
@click.option("--serve", "serving", is_flag=True, hidden=True)
def main(kills: int, seed: int, serving: bool) -> None:
    """Kill loads at random moments and print what became of the store."""
    if serving:
        serve()
        return
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        report = run(Path(folder), kills, seed=seed)
    click.echo("| phase hit | kills |\n| --- | ---: |")
    for phase in PHASES:
        click.echo(f"| {phase} | {report.phases[phase]} |")
    click.echo(f"| **all** | **{report.kills}** |\n")
    click.echo(
        f"{report.rounds} stores, {report.seconds:.0f} s; readers saw the old state "
        f"{report.old} times, the new one {report.new} times, anything else "
        f"{len(report.wrong)} times."
    )
    for text in report.wrong:
        click.echo(text)
    if report.wrong:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
