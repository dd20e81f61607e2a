"""The roof: the one place that knows all packages, and joins their commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ingest.cli import load, sources
from ingest.otlp.receive import receive
from ingest.sync_commands import restore, sync
from miner.analysis_commands import analysis_commands
from miner.cli import Commands, emit, format_option, say, store_option
from miner.conformance.contract_command import check
from miner.conformance_commands import (
    allow,
    conform,
    deviations,
    list_allowances,
    model,
    withdraw,
)
from miner.evidence_command import evidence
from miner.handing_commands import discover, export, process_map, report
from miner.store_commands import compact, prepare, verify

if TYPE_CHECKING:
    from miner.eventlog.store import EventStore


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="procession", prog_name="procession")
def main() -> None:
    """Process mining and workflow observability.

    Bring events in with `load`, look at the process with the other commands, open the dashboards
    with `serve`. `procession demo` shows it all on sample logs.
    """


@click.command()
@click.option("--port", default=8501, show_default=True, type=click.IntRange(1, 65535))
@store_option
def serve(port: int, store: EventStore) -> None:
    """Open the dashboards in the browser."""
    _open(store, port)


@click.command()
@click.option("--no-serve", is_flag=True, help="Do not open the dashboards.")
@click.option("--port", default=8501, show_default=True, type=click.IntRange(1, 65535))
@click.option("--live", is_flag=True, help="Run real workflows on a Temporal server and read them.")
@click.option(
    "--seconds", type=click.FloatRange(min=1), help="With --live --no-serve: end after so long."
)
@store_option
@format_option
def demo(
    no_serve: bool, port: int, live: bool, seconds: float | None, store: EventStore, form: str
) -> None:
    """Load the sample logs, print a summary per process, and open the dashboards."""
    import polars as pl

    from miner.performance.summary import headline

    if live:
        processes = _demo_live(store, seconds, None if no_serve else port)
    else:
        from ingest.samples import load_samples
        from miner.progress import Progress

        processes = load_samples(store, Progress, say)
    emit(pl.DataFrame([headline(store.log(process)) for process in processes]), form)
    if not no_serve and not live:
        _open(store, port)


def _demo_live(store: EventStore, seconds: float | None, port: int | None) -> list[str]:
    """Show real workflows until interrupted or so many seconds passed; what arrived."""
    from ingest import live_demo

    with live_demo.live(store, say) as orders:
        if port is None:
            orders.wait(seconds)
        else:
            orders.arrived(60)
            _open(store, port)
    from miner.performance.processes import processes

    return list(processes(store.read())["process"]) if store.exists else []


def _open(store: EventStore, port: int) -> None:
    from dashboards.cli import serve as serve_dashboards

    serve_dashboards(Path(store.folder), port)


for command in (
    load, sync, receive, restore, sources, *analysis_commands(), discover, process_map, model,
    conform, deviations, allow, list_allowances, withdraw, evidence, export, report, serve, demo,
    prepare, verify, compact, check,
):  # fmt: skip
    main.add_command(command)

if __name__ == "__main__":
    main()
