"""The commands that bring events in."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingest.registry import source_class, source_names
from miner.cli import emit, format_option, say, store_option
from miner.errors import UnknownNameError

if TYPE_CHECKING:
    from ingest.source import Note, Option, Source
    from miner.eventlog.definitions import Limitation
    from miner.eventlog.store import EventStore
    from miner.eventlog.writer import Loaded

TWO_WAYS = {"day_first": "--day-first/--month-first"}
"""Options that are either one thing or the other, with the flags for both."""


class LoadGroup(click.Group):
    """`procession load`: a command per installed source, made when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the sources."""
        return source_names()

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of a source; raises UnknownNameError when there is none."""
        if name not in source_names():
            raise UnknownNameError("source", name, source_names())
        return load_command(source_class(name))


@click.group(cls=LoadGroup)
def load() -> None:
    """Bring events into the store; loading again adds nothing twice."""


@click.command()
@format_option
def sources(form: str) -> None:
    """The sources that events can come from."""
    import polars as pl

    rows = [(name, _first_line(source_class(name))) for name in source_names()]
    emit(pl.DataFrame(rows, schema=["source", "reads"], orient="row"), form)


def load_command(kind: type[Source]) -> click.Command:
    """The command of a source: its docstring is the help, its fields are the flags."""
    from ingest.source import FileSource, options_of

    def run(**given: Any) -> None:
        _run(kind, **given)

    command: Callable[..., Any] = format_option(store_option(run))
    command = click.option(
        "--dry-run", is_flag=True, help="Show the first events it would make; load nothing."
    )(command)
    if issubclass(kind, FileSource):
        command = click.option(
            "--keep", is_flag=True, help="Keep a copy of the file in the store."
        )(command)
    command = click.option(
        "--process", metavar="NAME", help="Name of the process [the file's name]."
    )(command)
    for option in reversed(options_of(kind)):
        command = _parameter(option, kind.name)(command)
    return click.command(kind.name, help=kind.__doc__)(command)


def _run(
    kind: type[Source], process: str | None, store: EventStore, form: str, **given: Any
) -> None:
    from ingest.load import load as load_events
    from miner.progress import Progress

    keep, dry_run = given.pop("keep", False), given.pop("dry_run")
    source = kind(**given)
    if dry_run:
        from ingest.preview import preview

        emit(preview(source, tell_notes=_say_notes), form)
        return
    path = given.get("path")
    named = process_name(Path(path)) if path else kind.name
    name = named if process is None else process
    size = Path(path).stat().st_size if path and Path(path).is_file() else None
    with Progress(kind.name, size) as progress:
        loaded = load_events(
            source,
            store,
            process=name,
            keep=keep,
            tell=progress,
            tell_notes=_say_notes,
            on_wait=_say_waiting(),
            on_repair=say,
        )
    _say_rejected(loaded)
    _say_limitations(loaded)
    row = as_row(loaded)
    if form == "table":
        del row["limitations"]
        row["processes"] = ", ".join(loaded.processes)
    emit(row, form)


def as_row(loaded: Loaded) -> dict[str, Any]:
    """The result of a load with the keys that scripts rely on."""
    counts = loaded.counts
    return {
        "source": loaded.source,
        "process": loaded.process,
        "read": counts.read,
        "new": counts.new,
        "duplicate": counts.duplicate,
        "corrected": counts.corrected,
        "unchanged": counts.unchanged,
        "rejected": counts.rejected,
        "cases": loaded.cases,
        "seconds": round(loaded.seconds, 3),
        "processes": list(loaded.processes),
        "limitations": [asdict(each) for each in loaded.limitations],
    }


def process_name(path: Path) -> str:
    """A process name from the name of a file: its stem in lower case, words joined by hyphens."""
    stem = path.name.split(".")[0] or path.name
    return re.sub(r"[^\w]+|_+", "-", stem).strip("-").lower() or "log"


def _parameter(option: Option, source: str) -> Callable[[Any], Any]:
    from ingest.source import Secret

    flag = f"--{option.name.replace('_', '-')}"
    if issubclass(option.type, Secret):
        return _secret(option, source)
    if option.name == "path":
        return click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
    if option.type is bool:
        flags = TWO_WAYS.get(option.name, f"{flag}/--no-{flag.removeprefix('--')}")
        return click.option(flags, option.name, default=option.default, help=option.help)
    return click.option(
        flag,
        option.name,
        type=option.type,
        required=option.required,
        default=option.default,
        help=f"{option.help[:1].upper()}{option.help[1:]}.",
    )


def _secret(option: Option, source: str) -> Callable[[Any], Any]:
    """A secret comes from the environment or a prompt: command lines are seen by everybody."""
    from ingest.secrets import variable

    name = variable(source, option.name)

    def value(_ctx: click.Context, _parameter: click.Parameter, ask: bool) -> Any:
        from ingest.secrets import secret_of
        from ingest.source import Secret

        if ask:
            return Secret(click.prompt(option.name, hide_input=True, err=True))
        found = secret_of(source, option.name)
        if found is None and option.required:
            raise click.UsageError(f"Set {name}, or give --ask-{option.name.replace('_', '-')}.")
        return option.default if found is None else found

    return click.option(
        f"--ask-{option.name.replace('_', '-')}",
        option.name,
        is_flag=True,
        callback=value,
        help=f"Ask for the {option.help} [else {name} in the environment].",
    )


def _say_notes(notes: Sequence[Note]) -> None:
    for note in notes:
        say(f"{note.subject}: {note.text}")


def _say_waiting() -> Callable[[float], None]:
    told = False

    def tell(_waited: float) -> None:
        nonlocal told
        if not told:
            say("Another process is writing to the store; waiting for it …")
            told = True

    return tell


def _say_rejected(loaded: Loaded) -> None:
    from ingest.source import FileSource

    is_file = issubclass(source_class(loaded.source), FileSource)
    if is_file and loaded.load_id is None:
        say("These bytes were loaded before with the same options; nothing was added.")
    elif loaded.counts.rejected:
        say(
            f"{loaded.counts.rejected:,} rows could not be used; "
            f"`procession rejected --process {loaded.process}` shows them with their reasons."
        )
    changed = {word: to for word, to in loaded.transitions.items() if word.lower() != to}
    if changed:
        shown = ", ".join(f"{word!r} is {to}" for word, to in list(changed.items())[:12])
        say(f"lifecycle: {shown}")


def _say_limitations(loaded: Loaded) -> None:
    for each in loaded.limitations:
        say(spoken(each))


def spoken(limitation: Limitation) -> str:
    """A limitation in one line: its kind, its sentence, how many events, which measures."""
    number = "" if limitation.events is None else f" ({limitation.events:,} events)"
    touched = f" Touches {', '.join(limitation.measures)}." if limitation.measures else ""
    return f"{limitation.kind}: {limitation.text}{number}{touched}"


def _first_line(kind: type[Source]) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]
