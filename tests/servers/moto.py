"""The AWS services of moto, with its interpreter of state machines switched on."""

from __future__ import annotations

import json
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.install import answers, free_port, running
from tests.servers.waiting import LIMIT

REGION = "eu-west-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "s3cret-of-aws"}


@dataclass(frozen=True)
class Moto:
    """Where it listens."""

    address: str
    region: str = REGION


@contextmanager
def serve() -> Iterator[Moto]:
    """All services on one port; what is made in them is gone afterwards."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with running(command, log=log, ready=lambda: answers(port), env=CREDENTIALS):
            asked = urllib.request.Request(
                f"{address}/moto-api/config",
                data=json.dumps({"stepfunctions": {"execute_state_machine": True}}).encode(),
                headers={"Content-Type": "application/json"},
            )
            urllib.request.urlopen(asked, timeout=LIMIT).close()
            yield Moto(address)
