"""The live demo: real workflows on a real server of this machine, read while they run."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from ingest.sources.temporal import Temporal
from ingest.sync import Configured, rounds
from miner.errors import InputError, MinerError, MissingPackageError, SourceUnavailableError
from miner.eventlog.store import EventStore

VERSION = "1.5.1"
"""Of Temporal's command line; the newest that `go install` builds."""
PACKAGE = f"github.com/temporalio/cli/cmd/temporal@v{VERSION}"
EVERY = 3.0
"""Seconds between two rounds of reading."""

Tell = Callable[[str], None]


class Live:
    """A shop at work whose orders arrive in a store; made by `live`."""

    def __init__(self, source: Temporal, store: EventStore, tell: Tell) -> None:
        self._source, self._store, self._tell = source, store, tell
        self._ended, self._arrived = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._read, name="live-demo", daemon=True)
        self._error: MinerError | None = None

    def __enter__(self) -> Live:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join(60)

    def wait(self, seconds: float | None) -> None:
        """Let it go on for so long, or until interrupted; raises what reading raised."""
        with suppress(KeyboardInterrupt):
            self._ended.wait(seconds)
        if self._error:
            raise self._error

    def arrived(self, seconds: float) -> None:
        """Wait until the first events are in the store; raises what reading raised."""
        self._arrived.wait(seconds)
        if self._error:
            raise self._error

    def _read(self) -> None:
        each = Configured("live", "orders", self._source)
        try:
            for synced in rounds(
                [each], self._store, every=EVERY, until=self._ended.is_set, wait=self._pause
            ):
                counts = synced.loaded.counts if synced.loaded else None
                if synced.error:
                    self._tell(f"live: {synced.error.message}")
                elif counts and counts.new:
                    self._arrived.set()
                    self._tell(f"live: {counts.new:,} new events")
        except MinerError as error:
            self._error = error
        finally:
            self._ended.set()
            self._arrived.set()

    def _pause(self, seconds: float) -> None:
        self._ended.wait(seconds)


@contextmanager
def live(store: EventStore, tell: Tell) -> Iterator[Live]:
    """Run the shop and read it while the block does; ends everything that it started.

    Raises InputError when the package or the server is missing and cannot be built.
    """
    if find_spec("temporalio") is None:
        raise MissingPackageError("The live demo", "temporalio", "live")
    program, port = server_program(tell), _free_port()
    shop = subprocess.Popen(
        [sys.executable, "-m", "sample_logs.live", str(program), str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_for(shop, port)
        tell(f"Temporal on 127.0.0.1:{port}; orders arrive about every {EVERY:g} seconds.")
        with Live(Temporal(f"127.0.0.1:{port}", overlap=10), store, tell) as shown:
            yield shown
    finally:
        _end(shop)


def server_program(tell: Tell) -> Path:
    """Temporal's command line: on the path, built before, or built now."""
    found = shutil.which("temporal")
    if found:
        return Path(found)
    given = os.environ.get("PROCESSION_SERVERS")
    cache = Path(given) if given else Path.home() / ".cache" / "procession-servers"
    program = cache / f"temporal-{VERSION}" / "temporal"
    if not program.exists():
        _build(program, tell)
    return program


def _build(program: Path, tell: Tell) -> None:
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        raise InputError(
            "The live demo needs Temporal's server, and neither temporal nor go is on the path.",
            hint="Install the command line of Temporal, or Go 1.25 or newer to build it here once.",
        )
    tell("Building Temporal's development server, once; this takes five to ten minutes.")
    unfinished = program.parent.with_name(f"{program.parent.name}.{os.getpid()}")
    unfinished.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "GOBIN": str(unfinished), "CGO_ENABLED": "0"}
    try:
        done = subprocess.run(
            [go, "install", PACKAGE], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise InputError(
                f"Temporal's server could not be built: {done.stderr.strip()[-300:]}",
                hint="Install the command line of Temporal and run this again.",
            )
        if not program.exists():
            unfinished.rename(program.parent)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _wait_for(shop: subprocess.Popen[bytes], port: int, seconds: float = 60) -> None:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit and shop.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SourceUnavailableError(
        "Temporal's development server did not start.",
        hint=f"Try it by hand: temporal server start-dev --headless --port {port}",
    )


def _end(shop: subprocess.Popen[bytes]) -> None:
    """The shop ends its server; if it cannot, both are ended with their group."""
    if shop.poll() is None:
        shop.send_signal(signal.SIGTERM)
    try:
        shop.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(shop.pid, signal.SIGKILL)
        shop.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
