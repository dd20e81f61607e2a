"""The command that receives: spans are taken in, kept on disk, and loaded every few seconds."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import click

from miner.cli import emit, format_option, say, store_option

if TYPE_CHECKING:
    from ingest.otlp.intake import Intake
    from ingest.otlp.received import Received
    from miner.eventlog.store import EventStore

SHARE_OF_LOADING = 10
"""Loading takes at most one part in so many of the time, because each load publishes the store."""


@click.group()
def receive() -> None:
    """Take in what systems send of themselves."""


@receive.command()
@click.option(
    "--grpc-port",
    default=4317,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port of OTLP over gRPC; 0 for none.",
)
@click.option(
    "--http-port",
    default=4318,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port of OTLP over HTTP; 0 for none.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; whoever reaches it can send.",
)
@click.option(
    "--process",
    default="traces",
    show_default=True,
    metavar="NAME",
    help="Process of spans that name none.",
)
@click.option(
    "--case",
    metavar="NAMES",
    help="Attributes that hold the id of a run, with commas between; else the trace.",
)
@click.option(
    "--workflow",
    metavar="NAME",
    help="What tells processes apart: root (its span), service, or an attribute.",
)
@click.option("--raw-names", is_flag=True, help="Names of spans as they are, with ids in them.")
@click.option(
    "--every",
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    type=click.FloatRange(min=0.05),
    help="How often spans are loaded.",
)
@click.option(
    "--remember",
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    type=click.FloatRange(min=60),
    help="How long spans stay at hand for others of their trace.",
)
@click.option(
    "--spool",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Where spans are until they are loaded [otlp-spool in the store].",
)
@click.option(
    "--most-waiting",
    default=1024,
    show_default=True,
    metavar="MB",
    type=click.IntRange(min=1),
    help="What may wait to be loaded; more is turned away.",
)
@click.option(
    "--largest",
    default=16,
    show_default=True,
    metavar="MB",
    type=click.IntRange(min=1, max=512),
    help="The largest request.",
)
@store_option
@format_option
def otlp(store: EventStore, form: str, spool: Path | None, **given: Any) -> None:
    """Receive OpenTelemetry spans over gRPC and HTTP until it is interrupted.

    An answer means that the spans are on disk; they are in the store a few seconds later.
    """  # fmt: skip
    from ingest.otlp.archive import Archive
    from ingest.otlp.events import Reading
    from ingest.otlp.intake import Intake
    from ingest.otlp.protobuf import check_library
    from ingest.otlp.received import Received
    from ingest.otlp.spool import Spool

    check_library()
    reading = Reading(given["case"], given["workflow"], given["raw_names"])
    kept = Spool(spool or store.folder / "otlp-spool", given["most_waiting"] << 20)
    intake = Intake(kept)
    archive = Archive(store.folder, given["process"], reading)
    source = Received(kept, archive, reading, given["remember"])
    try:
        with _stopping() as stop:
            with _listening(intake, given):
                events = _load_until(stop, source, store, given)
            kept.flush()
            source.hurry()
            events += _loaded(source, store, given["process"], last=True)
    finally:
        kept.close()
    emit({"requests": intake.requests, "rejected_spans": intake.rejected, "events": events}, form)


@contextmanager
def _listening(intake: Intake, given: dict[str, Any]) -> Iterator[None]:
    from ingest.otlp.grpc import grpc_server
    from ingest.otlp.http import http_server
    from miner.errors import InputError

    host, most = given["host"], given["largest"] << 20
    if not given["grpc_port"] and not given["http_port"]:
        raise InputError("Without any port nothing can be received.", hint="Give one of the two.")
    with ExitStack() as servers:
        places = []
        for name, serve in (("grpc", grpc_server), ("http", http_server)):
            port = given[f"{name}_port"]
            if port:
                servers.enter_context(serve(intake, host, port, most))
                places.append(f"{name} on {host}:{port}")
        say(f"Receiving OTLP: {', '.join(places)}. Press Ctrl+C to end.")
        yield


def _load_until(stop: Event, source: Received, store: EventStore, given: dict[str, Any]) -> int:
    """Load what comes, until somebody wants it to end; how many events were new."""
    events, pause = 0, given["every"]
    while not stop.wait(pause):
        started = time.monotonic()
        events += _loaded(source, store, given["process"])
        took = time.monotonic() - started
        pause = max(given["every"], took * (SHARE_OF_LOADING - 1))
    return events


def _loaded(source: Received, store: EventStore, process: str, *, last: bool = False) -> int:
    """Load what is in the spool and not in the store; how many events were new.

    Unless it is the `last` time, a store that cannot be written is no reason to end.
    """
    from ingest.load import load
    from miner.errors import StoreError

    if not source.pending():
        return 0
    try:
        return load(source, store, process=process).counts.new
    except StoreError as error:
        source.forget()
        if last:
            raise
        say(f"{error.message} The spans stay in the spool; they are loaded when that is over.")
        return 0


@contextmanager
def _stopping() -> Iterator[Event]:
    """An event that is set when the process is asked to end."""
    stop = Event()
    before = {
        each: signal.signal(each, lambda *_: stop.set()) for each in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
