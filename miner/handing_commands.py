"""The commands that hand something on: models, maps, events, reports."""

from __future__ import annotations

from pathlib import Path
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
    write_out,
)
from miner.errors import InputError

if TYPE_CHECKING:
    from miner.discovery.discover import Discovered
    from miner.eventlog.store import EventStore

_OUT = click.option(
    "--out", required=True, metavar="FILE", type=click.Path(path_type=Path), help="File to write."
)

MODEL_ENDINGS = (".bpmn", ".pnml", ".svg", ".png", ".html", ".json")
MAP_ENDINGS = (".svg", ".png", ".html")


@click.command()
@process_argument
@click.option(
    "--algorithm", default="inductive", show_default=True, metavar="NAME",
    help="inductive, inductive-variants, heuristics or dfg.",
)  # fmt: skip
@click.option("--noise", default=0.2, show_default=True, type=click.FloatRange(0, 1))
@click.option(
    "--coverage", default=1.0, show_default=True, type=click.FloatRange(0, 1),
    help="Share of the cases whose variants are used by inductive-variants.",
)  # fmt: skip
@_OUT
@filter_options
@store_option
@format_option
def discover(
    process: str, algorithm: str, noise: float, coverage: float, out: Path, store: EventStore,
    form: str,
) -> None:  # fmt: skip
    """Discover a model: BPMN, PNML, SVG, PNG, HTML or JSON by the file's ending."""
    _check_ending(out, MODEL_ENDINGS)
    import miner
    from miner.discovery import discover as discovery
    from miner.model.formats import as_format

    log = log_of(store, process)
    found = discovery.discover(
        miner.path_frequencies(log),
        miner.variants(log),
        name=process,
        algorithm=algorithm,  # type: ignore[arg-type]
        noise=noise,
        coverage=coverage,
    )
    write_out(out, as_format(found.model, out.suffix.lower()))
    for note in found.notes:
        say(note)
    emit(_figures(found) | {"out": str(out)}, form)


@click.command(name="map")
@process_argument
@click.option(
    "--show", default="frequency", show_default=True,
    type=click.Choice(["frequency", "time", "failures"]), help="What colours and labels say.",
)  # fmt: skip
@click.option("--activities", type=click.FloatRange(0, 1), help="Share of activities [readable].")
@click.option("--paths", type=click.FloatRange(0, 1), help="Share of paths [readable].")
@click.option("--theme", default="light", type=click.Choice(["light", "dark"]))
@_OUT
@filter_options
@store_option
@format_option
def process_map(
    process: str, show: str, activities: float | None, paths: float | None, theme: str, out: Path,
    store: EventStore, form: str,
) -> None:  # fmt: skip
    """Draw the process map: SVG, PNG or HTML by the file's ending."""
    _check_ending(out, MAP_ENDINGS)
    import miner
    from miner.discovery import process_map as maps
    from miner.drawing.process_map import map_html, map_png, map_svg

    log = log_of(store, process)
    whole = maps.process_map(miner.directly_follows(log), miner.activities(log))
    opening = maps.opening_view(whole)
    shown = maps.simplify(
        whole,
        activities=opening[0] if activities is None else activities,
        paths=opening[1] if paths is None else paths,
    )
    if out.suffix.lower() == ".html":
        write_out(out, map_html(whole, show=show, title=process))  # type: ignore[arg-type]
    else:
        drawn = map_svg(shown, show=show, theme=theme)  # type: ignore[arg-type]
        write_out(out, map_png(drawn) if out.suffix.lower() == ".png" else drawn)
    emit(
        {
            "process": process,
            "out": str(out),
            "activities": shown.activities.height,
            "activities_total": whole.activities_total,
            "paths": shown.paths.height,
            "paths_total": whole.paths_total,
        },
        form,
    )


@click.command()
@process_argument
@_OUT
@filter_options
@store_option
@format_option
def export(process: str, out: Path, store: EventStore, form: str) -> None:
    """Write the events: XES, XES.gz, CSV or Parquet by the file's ending."""
    from miner.eventlog.export import export as write_events

    events = write_events(log_of(store, process), out)
    emit({"process": process, "out": str(out), "events": events}, form)


@click.command()
@process_argument
@_OUT
@filter_options
@store_option
@format_option
def report(process: str, out: Path, store: EventStore, form: str) -> None:
    """Write one self-contained page about the process; it needs no network."""
    _check_ending(out, (".html",))
    from miner.report import report_html

    log = log_of(store, process)
    write_out(out, report_html(log, store.snapshot()))
    emit({"process": process, "out": str(out)}, form)


def _check_ending(out: Path, known: tuple[str, ...]) -> None:
    if out.suffix.lower() not in known:
        raise InputError(
            f"{out.name!r} does not say which format to write.",
            hint=f"Let the name end in {', '.join(known)}.",
        )


def _figures(found: Discovered) -> dict[str, Any]:
    return {
        "process": found.model.name,
        "algorithm": found.algorithm,
        "noise": found.noise,
        "fitness": found.fitness,
        "log_fitness": found.log_fitness,
        "precision": found.precision,
        "generalization": found.generalization,
        "simplicity": found.simplicity,
        "cases": found.cases,
        "covered_cases": found.covered_cases,
        "fitness_covered_cases": found.fitness_covered_cases,
        "variants": found.variants,
        "covered_variants": found.covered_variants,
        "notes": list(found.notes),
    }
