"""The main job on the sample logs: load, prepare, summarise, show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import polars as pl

from miner.cli import emit, format_option, say, store_option

if TYPE_CHECKING:
    from miner.eventlog.log import EventLog
    from miner.eventlog.store import EventStore
    from sample_logs.catalogue import SampleLog


@click.command()
@click.option("--no-serve", is_flag=True, help="Do not open the dashboards.")
@click.option("--port", default=8501, show_default=True, type=click.IntRange(1, 65535))
@store_option
@format_option
def demo(no_serve: bool, port: int, store: EventStore, form: str) -> None:
    """Load the sample logs, print a summary per process, and open the dashboards."""
    from sample_logs.catalogue import catalogue

    rows = []
    for sample in catalogue():
        _load(sample, store)
        rows.append(figures(store.log(sample.process)))
    emit(pl.DataFrame(rows), form)
    if not no_serve:
        from dashboards.cli import serve

        serve(store.folder, port)


def figures(log: EventLog) -> dict[str, object]:
    """The figures of a process that fit one line, with its worst bottleneck."""
    import miner

    summary = miner.summary(log)
    worst = miner.bottlenecks(log).filter(pl.col("previous_activity").is_null()).head(1)
    return {
        "process": summary.process,
        "cases": summary.cases,
        "events": summary.events,
        "variants": summary.variants,
        "open_cases": summary.open_cases,
        "median_cycle_time": summary.median_cycle_time,
        "p95_cycle_time": summary.p95_cycle_time,
        "failure_rate": summary.failure_rate,
        "worst_bottleneck": worst["activity"].item() if worst.height else None,
    }


def _load(sample: SampleLog, store: EventStore) -> None:
    from ingest.load import load
    from ingest.registry import source_class
    from miner.progress import Progress

    source = source_class(sample.source)(path=sample.path, **sample.options)  # type: ignore[call-arg]
    with Progress(sample.process) as progress:
        loaded = load(source, store, process=sample.process, tell=progress, on_repair=say)
    counts = loaded.counts
    say(
        f"{sample.process}: {counts.read:,} events read, {counts.new:,} new, "
        f"{counts.duplicate:,} known, {counts.rejected:,} rejected"
    )
