"""The commands that look at a process: one per analysis."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from miner.cli import (
    emit,
    filter_options,
    format_option,
    log_of,
    process_argument,
    say,
    store_option,
)

if TYPE_CHECKING:
    from miner.eventlog.log import EventLog
    from miner.eventlog.store import EventStore

# The analysis of each command, by name, so that listing the commands imports none of them.
ANALYSES = {
    "summary": ("summary", "Figures of a process: cases, variants, cycle times, failures."),
    "directly-follows": ("directly_follows", "Which activity follows which, how often, how fast."),
    "times": ("activity_times", "Waiting, service and sojourn time per activity."),
    "resources": ("resource_times", "Work, service and idle time per resource."),
    "bottlenecks": ("bottlenecks", "Activities and hand-overs by the waiting they add in all."),
    "failures": ("failures", "Failed attempts, retries and recovery per activity."),
    "rework": ("rework", "Work that is done again, per activity."),
    "handovers": ("handovers", "Who passes work on to whom."),
    "quality": ("log_quality", "What in the log limits what can be said about it."),
}


def analysis_commands() -> list[click.Command]:
    """A command for each analysis that takes a process and filters only, and the others."""
    simple = [_command(name, function, text) for name, (function, text) in ANALYSES.items()]
    return [*simple, variants, cases, case, processes, rejected, loads, models]


def _command(name: str, function: str, text: str) -> click.Command:
    def run(process: str, store: EventStore, form: str) -> None:
        import miner

        analysis: Callable[[EventLog], Any] = getattr(miner, function)
        emit(analysis(log_of(store, process)), form)

    decorated = process_argument(filter_options(store_option(format_option(run))))
    return click.command(name, help=text)(decorated)


@click.command()
@process_argument
@click.option("--top", type=click.IntRange(min=1), metavar="N", help="Only the N most frequent.")
@filter_options
@store_option
@format_option
def variants(process: str, top: int | None, store: EventStore, form: str) -> None:
    """Distinct ways in which cases ran, most frequent first."""
    import miner

    emit(miner.variants(log_of(store, process), top=top), form)


@click.command()
@process_argument
@click.option("--limit", default=100, show_default=True, type=click.IntRange(min=1), metavar="N")
@click.option("--offset", default=0, type=click.IntRange(min=0), metavar="N", help="Leave out N.")
@click.option(
    "--order", default="longest", type=click.Choice(["longest", "newest", "oldest"]),
    show_default=True, help="Which cases come first.",
)  # fmt: skip
@filter_options
@store_option
@format_option
def cases(process: str, limit: int, offset: int, order: str, store: EventStore, form: str) -> None:
    """Cases, the longest first."""
    import miner

    log = log_of(store, process)
    emit(miner.cases(log, limit=limit, offset=offset, order=order), form)


@click.command()
@process_argument
@click.argument("case_id")
@filter_options
@store_option
@format_option
def case(process: str, case_id: str, store: EventStore, form: str) -> None:
    """One case: what is known of it, its activity instances, its events."""
    import miner

    emit(miner.case(log_of(store, process), case_id), form)


@click.command()
@store_option
@format_option
def processes(store: EventStore, form: str) -> None:
    """The processes in the store."""
    import miner

    emit(miner.processes(store.read()), form)


@click.command()
@click.option("--process", metavar="NAME", help="Only of this process.")
@store_option
@format_option
def rejected(process: str | None, store: EventStore, form: str) -> None:
    """Rows that could not be used, with the reason."""
    from miner.eventlog import quality

    _check_known(store, process)
    found = quality.rejected(store.read(), process)
    if found.is_empty():
        say("Nothing is in quarantine.")
    emit(found, form)


@click.command()
@click.option("--process", metavar="NAME", help="Only of this process.")
@store_option
@format_option
def loads(process: str | None, store: EventStore, form: str) -> None:
    """What was loaded, when, and what became of it."""
    from miner.eventlog import quality

    _check_known(store, process)
    emit(quality.loads(store.read(), process), form)


@click.command()
@process_argument
@store_option
@format_option
def models(process: str, store: EventStore, form: str) -> None:
    """The modelled workflows of a process, each version of them."""
    from miner.eventlog import definitions

    connection = store.read()
    found = definitions.models(connection, process)
    if found.is_empty():
        _check_known(store, process)
    emit(found, form)


def _check_known(store: EventStore, process: str | None) -> None:
    """Raise UnknownNameError for a process that the store does not have."""
    if process is not None:
        store.log(process)
