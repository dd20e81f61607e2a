"""`procession check`: a process held to its contract."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from miner.cli import emit, format_option, say, store_option, write_out

if TYPE_CHECKING:
    from miner.conformance.contract_check import CheckResult
    from miner.conformance.contract_report import Change
    from miner.eventlog.store import EventStore

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("file", type=_FILE)
@click.option("--junit", type=_FILE, metavar="FILE", help="Write the result as JUnit XML.")
@click.option("--save", type=_FILE, metavar="FILE", help="Write the result to compare with later.")
@click.option("--baseline", type=_FILE, metavar="FILE", help="Compare with an earlier result.")
@store_option
@format_option
@click.pass_context
def check(
    context: click.Context, file: Path, junit: Path | None, save: Path | None,
    baseline: Path | None, store: EventStore, form: str,
) -> None:  # fmt: skip
    """Hold a process to a contract of rules and budgets; ends with 1 when it is broken."""
    from miner.conformance import contract_report as reports
    from miner.conformance.contract import read_contract
    from miner.conformance.contract_check import check as held_to

    begun = time.monotonic()
    contract = read_contract(file)
    before = baseline or contract.baseline
    earlier = reports.baseline_of(before) if before else None
    result = held_to(contract, store.log(contract.process, contract.condition))
    compared = {} if earlier is None else reports.changes(result, earlier)
    if save:
        write_out(save, reports.saved(result))
    if junit:
        seconds = time.monotonic() - begun
        passes = contract.undecided_passes
        write_out(junit, reports.junit(result, undecided_passes=passes, seconds=seconds))
    _show(result, compared, form)
    context.exit(0 if result.outcome == "passed" else 1)


def _show(result: CheckResult, compared: dict[str, Change], form: str) -> None:
    """Print the result; what is wrong is said in words on stderr, too."""
    from miner.conformance import contract_report as reports

    if form == "table":
        emit(reports.table(result, compared), form)
    elif form == "csv":
        emit(reports.frame(result, compared), form)
    else:
        emit(_whole(result, compared), form)
    for note in result.notes:
        say(note)
    for each in result.checks:
        if each.outcome in ("failed", "undecided", "noted"):
            say(f"{each.outcome}: {each.name}: {each.message}")
    worse = [name for name, change in compared.items() if change.word == "worse"]
    if worse:
        say(f"Worse than before: {', '.join(worse)}.")


def _whole(result: CheckResult, compared: dict[str, Change]) -> dict[str, Any]:
    from miner.conformance import contract_report as reports

    return {
        "contract": result.contract,
        "process": result.process,
        "outcome": result.outcome,
        "checks": reports.frame(result, compared),
        "notes": list(result.notes),
    }
