"""Loads that are killed, some seconds after they began."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.conftest import ROOT
from tests.servers.waiting import LIMIT


def killed_after(seconds: Sequence[float], *command: str, store: Path, **environment: str) -> None:
    """Run `procession load` with this command once for each of so many seconds, and kill it then.

    A load that is done before stays done.
    """
    for each in seconds:
        process = subprocess.Popen(
            [sys.executable, "-m", "miner", "load", *command, "--store", str(store)],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        with suppress(subprocess.TimeoutExpired):
            process.wait(each)
        process.kill()
        process.wait(LIMIT)
