"""The command that keeps a store up to date with the systems it is read from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from miner.cli import emit, format_option, say, store_option

if TYPE_CHECKING:
    from ingest.sync import Synced
    from miner.eventlog.store import EventStore


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--every", metavar="SECONDS", type=click.FloatRange(min=0.1), help="Go on, every so often."
)
@store_option
@format_option
def sync(names: tuple[str, ...], every: float | None, store: EventStore, form: str) -> None:
    """Read the sources that procession.toml configures, each from where it stopped.

    Once, or with --every until it is interrupted. With NAMEs only those.
    """
    from ingest.sync import configured, rounds
    from miner.errors import InputError, UnknownNameError
    from miner.settings import FILE, configured_sources

    tables = configured_sources()
    for name in names:
        if name not in tables:
            raise UnknownNameError(f"source in {FILE}", name, tables)
    chosen = {name: table for name, table in tables.items() if not names or name in names}
    if not chosen:
        raise InputError(
            f"There is no source in {FILE} here.",
            hint="Add a table like [sources.orders]; the pages in docs/sources have examples.",
        )
    done = []
    for synced in rounds(configured(chosen), store, every=every):
        if every is None:
            done.append(synced)
        elif synced.error or (synced.loaded and synced.loaded.counts.read):
            emit(_row(synced), form)
        if synced.error:
            say(f"{synced.name}: {synced.error}")
    if every is None:
        emit([_row(synced) for synced in done] if form == "json" else _frame(done), form)
        for synced in done:
            if synced.error:
                from miner.errors import exit_code

                click.get_current_context().exit(exit_code(synced.error))


def _row(synced: Synced) -> dict[str, Any]:
    from ingest.cli import as_row

    if synced.loaded is None:
        return {"name": synced.name, "error": synced.error.message if synced.error else None}
    return {"name": synced.name, **as_row(synced.loaded)}


def _frame(done: list[Synced]) -> Any:
    import polars as pl

    rows = [{key: v for key, v in _row(each).items() if key != "limitations"} for each in done]
    return pl.DataFrame(rows, infer_schema_length=None)
