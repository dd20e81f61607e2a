"""The commands that look after a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from miner.cli import emit, format_option, say, store_option

if TYPE_CHECKING:
    from miner.eventlog.store import EventStore


@click.command()
@click.argument("process", required=False)
@store_option
@format_option
def prepare(process: str | None, store: EventStore, form: str) -> None:
    """Derive everything anew from the events; loading does so by itself for what it touches."""
    if process is not None:
        store.log(process)
    with store.write(on_repair=say) as writer:
        cases = writer.rebuild()
    emit({"cases": cases, "version": store.snapshot().version}, form)


@click.command()
@click.option("--repair", is_flag=True, help="Recover what can be recovered first.")
@click.option("--quick", is_flag=True, help="Leave out the comparison with a full rebuild.")
@store_option
@format_option
@click.pass_context
def verify(context: click.Context, repair: bool, quick: bool, store: EventStore, form: str) -> None:
    """Check the store and say what was found; exit code 3 when something does not hold."""
    import polars as pl

    from miner.eventlog import verify as check

    if repair:
        for text in check.repair(store):
            say(text)
    findings = check.verify(store, thorough=not quick)
    rows = [(finding.statement, finding.holds, finding.detail) for finding in findings]
    emit(pl.DataFrame(rows, schema=["statement", "holds", "detail"], orient="row"), form)
    if not all(finding.holds for finding in findings):
        say("procession: The store does not hold. `procession verify --repair` may mend it.")
        context.exit(3)


@click.command()
@store_option
@format_option
def compact(store: EventStore, form: str) -> None:
    """Write the store anew without the space that replaced rows left behind."""
    with store.write(on_repair=say) as writer:
        before, after = writer.compact()
    emit({"bytes_before": before, "bytes_after": after}, form)
