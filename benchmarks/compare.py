"""Procession beside pm4py on the same events, in one run; prints the table of docs/benchmarks.md.

    python -m benchmarks.compare 10_000_000 --work /tmp/benchmark
    python -m benchmarks.compare 100_000_000 --work /tmp/benchmark --without-peer --without-csv \
        --query-memory 6GB

Each figure is of a process of its own: wall time, time of the processor and peak memory as the
operating system counts them. Queries are the median of five in one process that has opened the
store; one that the engine refuses has no figure.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import click

COLUMNS = {"case": "case_id", "activity": "activity", "timestamp": "timestamp"}

PEER_READ = """
import sys, time, warnings; warnings.simplefilter("ignore")
import pandas, pm4py
begun = time.monotonic()
path = sys.argv[1]
frame = pandas.read_parquet(path) if path.endswith(".parquet") else pandas.read_csv(path)
frame = pm4py.format_dataframe(
    frame, case_id="case_id", activity_key="activity", timestamp_key="timestamp"
)
read = time.monotonic() - begun
begun = time.monotonic()
if sys.argv[2] == "graph":
    pm4py.discover_dfg(frame)
import json; print(json.dumps({"read": read, "graph": time.monotonic() - begun}))
"""

OURS_QUERIES = """
import json, statistics, sys, time
from pathlib import Path
import miner
from miner.errors import StoreError
store = miner.EventStore(Path(sys.argv[1]))
names = [
    "path_frequencies", "directly_follows", "activities", "summary", "activity_times",
    "bottlenecks", "failures", "rework", "handovers", "resource_times",
    "cycle_time_distribution", "error_types",
]
calls = {name: getattr(miner, name) for name in names}
calls["variants (top 100)"] = lambda log: miner.variants(log, top=100)
calls["cases (page of 100)"] = lambda log: miner.cases(log, limit=100)
log = store.log("events")
some = log.filter(miner.LogFilter.of("activity Activity 07"))
half = log.filter(miner.LogFilter.of("not activity Activity 07"))
one = miner.cases(log, limit=1, order="newest")["case_id"].item()
calls["case"] = lambda log: miner.case(log, one)
found = {}
def timed(name, call, *given):
    times = []
    try:
        for _ in range(6):
            begun = time.monotonic()
            call(*given)
            times.append(time.monotonic() - begun)
    except StoreError as refusal:
        print(name, refusal, file=sys.stderr)
    found[name] = statistics.median(times[1:]) if len(times) == 6 else None
for name, call in calls.items():
    timed(name, call, log)
timed("log_quality", miner.log_quality, log)
timed("selecting cases by an activity", log.filter, miner.LogFilter.of("activity Activity 07"))
timed("directly_follows, filtered", miner.directly_follows, some)
timed("summary, filtered", miner.summary, some)
timed("bottlenecks, filtered", miner.bottlenecks, half)
facts = miner.summary(log)
found["_facts"] = [facts.events, facts.cases, facts.variants, facts.activities]
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Run:
    """A finished process: its output, wall time, time of the processor and peak memory."""

    output: str
    seconds: float
    processor_seconds: float
    gigabytes: float


def run(*command: str, cwd: Path, **environment: str) -> Run:
    """Run a command to its end; raises CalledProcessError with what it said when it fails."""
    begun = time.monotonic()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, cwd=cwd, text=True, env=os.environ | environment
    )
    assert process.stdout
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, output)
    seconds = time.monotonic() - begun
    return Run(output, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024**2)


def load(work: Path, source: str, path: Path) -> Run:
    """Load and prepare into a store of its own, through the command a user types."""
    store = work / f"store-{source}"
    subprocess.run(["rm", "-rf", str(store)], check=True)
    options = [f"--{role}={column}" for role, column in COLUMNS.items()]
    return run(
        sys.executable, "-m", "miner", "load", source, str(path), "--process", "events",
        "--store", str(store), *options, "--resource=resource", cwd=work,
    )  # fmt: skip


def _print_loads(
    ours: dict[str, Run], files: dict[str, Path], work: Path, without_peer: bool
) -> list[tuple[str, Run]]:
    busy = [(f"Procession, {kind}", mine) for kind, mine in ours.items()]
    for kind, mine in ours.items():
        text = f"| load and prepare from {kind}, published | {mine.seconds:.1f} s "
        text += f"| {mine.gigabytes:.2f} GB "
        if without_peer:
            click.echo(text + "| | | |")
            continue
        peer = run(sys.executable, "-c", PEER_READ, str(files[kind]), "read", cwd=work)
        read = json.loads(peer.output.splitlines()[-1])["read"]
        click.echo(text + f"| {read:.1f} s | {peer.gigabytes:.2f} GB | {read / mine.seconds:.1f} |")
        busy.append((f"pm4py, {kind}", peer))
    return busy


@click.command()
@click.argument("events", type=int)
@click.option("--work", type=click.Path(path_type=Path), required=True, help="Folder for files.")
@click.option("--without-peer", is_flag=True, help="Procession alone.")
@click.option("--without-csv", is_flag=True, help="Parquet alone.")
@click.option("--query-memory", default="2GB", help="PROCESSION_MEMORY_LIMIT of the queries.")
def main(events: int, work: Path, without_peer: bool, without_csv: bool, query_memory: str) -> None:
    """Generate EVENTS events, load, query, compare, and print Markdown."""
    work.mkdir(parents=True, exist_ok=True)
    kinds = ["parquet"] if without_csv else ["parquet", "csv"]
    files = {kind: work / f"events-{events}.{kind}" for kind in kinds}
    for path in files.values():
        if not path.exists():
            run(sys.executable, "-m", "benchmarks.generate", str(events), "--out", str(path),
                cwd=Path.cwd())  # fmt: skip
    ours = {kind: load(work, kind, path) for kind, path in files.items()}
    answered = run(
        sys.executable, "-c", OURS_QUERIES, str(work / "store-parquet"), cwd=work,
        PROCESSION_MEMORY_LIMIT=query_memory,
    )  # fmt: skip
    queries = json.loads(answered.output)
    count, cases, variants, activities = queries.pop("_facts")
    click.echo(f"{count:,} events, {cases:,} cases, {variants:,} variants, {activities} activities")
    click.echo(f"on {platform.machine()}, {os.cpu_count()} cores\n")
    click.echo("| what | Procession | peak memory | pm4py | peak memory | ratio |")
    click.echo("|---|---|---|---|---|---|")
    busy = _print_loads(ours, files, work, without_peer)
    graph = None
    if not without_peer:
        peer = run(sys.executable, "-c", PEER_READ, str(files["parquet"]), "graph", cwd=work)
        graph = json.loads(peer.output.splitlines()[-1])["graph"]
    for name, seconds in queries.items():
        beside = ""
        taken = "refused" if seconds is None else f"{seconds * 1000:.0f} ms"
        if graph and seconds and name in ("path_frequencies", "directly_follows"):
            beside = f"{graph:.1f} s | {peer.gigabytes:.2f} GB | {graph / seconds:.0f}"
        click.echo(f"| `{name}` | {taken} | | {beside or '| |'} |")
    click.echo(
        f"\nPeak memory of all queries together: {answered.gigabytes:.2f} GB, "
        f"with PROCESSION_MEMORY_LIMIT={query_memory}."
    )
    spent = ", ".join(
        f"{what} {each.processor_seconds:.1f} s in {each.seconds:.1f} s" for what, each in busy
    )
    click.echo(f"Time of all cores together while loading, start of Python included: {spent}.")


if __name__ == "__main__":
    main()
