"""What all commands share: the error boundary, the store, the output, the filters."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from miner.errors import InputError, MinerError, exit_code

if TYPE_CHECKING:
    from miner.eventlog.filters import LogFilter
    from miner.eventlog.log import EventLog
    from miner.eventlog.store import EventStore

Command = TypeVar("Command", bound=Callable[..., Any])

_FILTERS = "miner.filters"


class Commands(click.Group):
    """Commands whose errors end as a message on stderr and an exit code, never as a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what it raises on purpose becomes a sentence."""
        try:
            return super().invoke(ctx)
        except MinerError as error:
            click.echo(f"procession: {error}", err=True)
            ctx.exit(exit_code(error))
        except KeyboardInterrupt:
            click.echo("procession: Stopped. What was loaded until now is kept.", err=True)
            ctx.exit(130)
        except BrokenPipeError:
            # Whoever read our output has gone; closing stdout again must not complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)
        except OSError as error:
            what = f": {error.filename}" if error.filename else ""
            click.echo(f"procession: {error.strerror or error}{what}.", err=True)
            ctx.exit(3 if error.errno == 28 else 2)


class FilterOption(click.Option):
    """A filter flag; remembers where it stood among the others, because their order matters."""

    def __init__(self, kind: str, **settings: Any) -> None:
        self.kind = kind
        super().__init__([f"--{kind}"], expose_value=False, **settings)

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Let the parser note each use in the context, in the order of the command line."""
        super().add_to_parser(parser, ctx)
        ours = parser._long_opt[self.opts[0]]
        store = ours.process

        def process(value: Any, state: Any) -> None:
            ctx.meta.setdefault(_FILTERS, []).append((self.kind, value))
            store(value, state)

        ours.process = process


def store_option(command: Command) -> Command:
    """`--store`, as an `EventStore`."""
    return click.option(
        "--store",
        metavar="FOLDER",
        type=click.Path(path_type=Path, file_okay=False),
        callback=_store,
        help="Folder of the event store [procession-store, or PROCESSION_STORE].",
    )(command)


def format_option(command: Command) -> Command:
    """`--format`: a table on a terminal, JSON in a pipe, unless it is given."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(["table", "json", "csv"]),
        callback=lambda _ctx, _param, value: value or ("table" if sys.stdout.isatty() else "json"),
        help="How to print the result [table on a terminal, else json].",
    )(command)


def filter_options(command: Command, *, without: Collection[str] = ()) -> Command:
    """All filters of `miner.eventlog.filters` as flags; `--not` inverts the one after it.

    `without` names those whose flag means something else in this command.
    """
    from miner.eventlog.filters import KINDS

    for kind in reversed([kind for kind in KINDS.values() if kind.name not in without]):
        flag = FilterOption(
            kind.name, metavar=kind.metavar, multiple=True, help=f"Keep {kind.help}."
        )
        command = _with_option(command, flag)
    invert = FilterOption("not", is_flag=True, help="Invert the filter that comes next.")
    return _with_option(command, invert)


def process_argument(command: Command) -> Command:
    """`PROCESS`, the name of a process in the store."""
    return click.argument("process")(command)


def given_filter() -> LogFilter:
    """The filter of this command line."""
    from miner.eventlog.filters import in_order

    return in_order(click.get_current_context().meta.get(_FILTERS, []))


def log_of(store: EventStore, process: str) -> EventLog:
    """The log that this command line asks for.

    Raises UnknownNameError for a process, or for an activity or resource in a filter, that does not
    exist: an empty result would hide the slip.
    """
    return store.log(process, given_filter())


def emit(result: Any, form: str) -> None:
    """Print a result on stdout."""
    from miner.output import rendered

    click.echo(rendered(result, form))


def say(text: str) -> None:
    """Print a note on stderr."""
    click.echo(text, err=True)


def write_out(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all; raises InputError when it cannot be written."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        unfinished.write_bytes(data)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise InputError(
            f"{path} cannot be written: {error.strerror}.", hint="Choose another place with --out."
        ) from error


def _store(_ctx: click.Context, _param: click.Parameter, value: Path | None) -> EventStore:
    from miner.eventlog.store import EventStore
    from miner.settings import settings

    return EventStore(value or settings().store)


def _with_option(command: Command, option: click.Option) -> Command:
    if isinstance(command, click.Command):
        command.params.append(option)
    else:
        params = command.__dict__.setdefault("__click_params__", [])
        params.append(option)
    return command
