"""The development server of Temporal's command line, built from the Go module proxy."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests.servers.install import free_port, go_install, run, running

T = TypeVar("T")
VERSION = "1.5.1"
"""The newest that `go install` builds; the server in it is 1.29.1."""


@dataclass(frozen=True)
class TemporalServer:
    """A development server and the command line that operators use."""

    address: str
    program: Path

    def operate(self, *arguments: str, namespace: str = "default") -> str:
        """Run `temporal` as an operator would; what it prints."""
        where = ["--address", self.address, "--namespace", namespace]
        return run([self.program, *arguments, *where])

    def history(self, workflow_id: str, run_id: str, namespace: str = "default") -> str:
        """The history of a run as JSON."""
        which = ["--workflow-id", workflow_id, "--run-id", run_id]
        return self.operate("workflow", "show", *which, "-o", "json", namespace=namespace)


def program() -> Path:
    """The command line, built when it is not there yet."""
    return go_install(f"temporal-{VERSION}", f"github.com/temporalio/cli/cmd/temporal@v{VERSION}")


@contextmanager
def serve(port: int | None = None) -> Iterator[TemporalServer]:
    """A fresh server in memory, on a free port of the loopback address."""
    binary, port = program(), port or free_port()
    folder = Path(tempfile.mkdtemp(prefix="temporal-"))
    server = TemporalServer(f"127.0.0.1:{port}", binary)
    command = [binary, "server", "start-dev", "--headless", "--ip", "127.0.0.1"]
    command += ["--port", str(port), "--log-level", "error"]

    def is_ready() -> bool:
        asked = [binary, "operator", "cluster", "health", "--address", server.address]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0

    try:
        with running(command, log=folder / "log", ready=is_ready, cwd=folder):
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def finished(work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns, run in a thread of its own: this one may have a loop running."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
