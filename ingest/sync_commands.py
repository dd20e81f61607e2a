"""The commands that keep a store up to date with its systems, and make it again."""

from __future__ import annotations

from pathlib import Path
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
    done, told = [], set[str]()
    for synced in rounds(configured(chosen), store, every=every):
        if every is None:
            done.append(synced)
        elif synced.loaded and synced.loaded.load_id is not None:
            emit(_row(synced), form)
        _say_what_is_new(synced, told)
        if synced.error:
            say(f"{synced.name}: {synced.error}")
    if every is None:
        _emit_rows([_row(synced) for synced in done], form)
        for synced in done:
            if synced.error:
                from miner.errors import exit_code

                click.get_current_context().exit(exit_code(synced.error))


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@store_option
@format_option
def restore(folder: Path, store: EventStore, form: str) -> None:
    """Load again what lies in the landing of the store FOLDER; adds nothing twice."""
    from ingest.cli import as_row
    from ingest.restore import restore as load_again

    rows = []
    for landed, loaded in load_again(folder, store):
        if loaded is None:
            say(f"{landed.file}: which source reads it was not recorded; load it by hand.")
        else:
            rows.append({"file": landed.file, **as_row(loaded)})
    _emit_rows(rows, form)


def _row(synced: Synced) -> dict[str, Any]:
    from ingest.cli import as_row

    if synced.loaded is None:
        return {"name": synced.name, "error": synced.error.message if synced.error else None}
    return {"name": synced.name, **as_row(synced.loaded)}


def _say_what_is_new(synced: Synced, told: set[str]) -> None:
    """Say what a source could not tell, each thing once however often it is read."""
    from ingest.cli import spoken

    for each in synced.loaded.limitations if synced.loaded else ():
        key = f"{synced.name}: {each.kind}: {each.text}"
        if key not in told:
            told.add(key)
            say(f"{synced.name}: {spoken(each)}")


def _emit_rows(rows: list[dict[str, Any]], form: str) -> None:
    import polars as pl

    if form == "json":
        emit(rows, form)
        return
    left_out = ("limitations", "processes")
    plain = [{key: value for key, value in row.items() if key not in left_out} for row in rows]
    emit(pl.DataFrame(plain, infer_schema_length=None), form)
