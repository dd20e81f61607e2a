"""`procession demo --live`: a real server, a real worker, and nothing left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from ingest import live_demo
from miner.errors import InputError
from tests.conftest import ROOT
from tests.servers.install import answers, free_port
from tests.servers.temporal import program
from tests.servers.waiting import LIMIT, until

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("temporal")]


def started(folder: Path, *more: str) -> subprocess.Popen[bytes]:
    """The demo as a person starts it; what it says goes to a file."""
    command = [sys.executable, "-m", "miner", "demo", "--live", "--store", str(folder / "store")]
    path = f"{program().parent}{os.pathsep}{os.environ['PATH']}"
    with (folder / "out").open("wb") as out, (folder / "said").open("wb") as said:
        return subprocess.Popen(
            [*command, *more], cwd=ROOT, env={**os.environ, "PATH": path}, stdout=out, stderr=said
        )


def said(folder: Path) -> str:
    return (folder / "said").read_text(encoding="utf-8")


def port_of_the_server(folder: Path) -> int:
    found = re.search(r"Temporal on 127\.0\.0\.1:(\d+)", said(folder))
    assert found, said(folder)
    return int(found[1])


def test_it_shows_orders_that_really_run_and_ends_what_it_started(tmp_path: Path) -> None:
    demo = started(tmp_path, "--no-serve", "--seconds", "10")
    assert demo.wait(LIMIT) == 0, said(tmp_path)
    rows = json.loads((tmp_path / "out").read_text(encoding="utf-8"))
    found = {row["process"]: row for row in rows}
    assert found["Order fulfilment"]["cases"] >= 3
    assert found["Order fulfilment"]["events"] >= 20
    assert said(tmp_path).count("new events") >= 2  # they arrive while it goes on
    assert not answers(port_of_the_server(tmp_path))


def test_the_dashboards_show_it_until_it_is_interrupted(tmp_path: Path) -> None:
    port = free_port()
    demo = started(tmp_path, "--port", str(port))
    try:
        until(lambda: demo.poll() is not None or answers(port))
        assert demo.poll() is None, said(tmp_path)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health") as answer:
            assert answer.read() == b"ok"
        demo.send_signal(signal.SIGINT)
        demo.wait(LIMIT)
    finally:
        demo.kill()
        demo.wait()
    until(lambda: not answers(port_of_the_server(tmp_path)))


def test_a_demo_that_is_killed_leaves_no_server_behind(tmp_path: Path) -> None:
    demo = started(tmp_path, "--no-serve")
    try:
        until(lambda: demo.poll() is not None or "new events" in said(tmp_path))
    finally:
        demo.kill()
        demo.wait()
    until(lambda: not answers(port_of_the_server(tmp_path)))


def test_without_a_server_and_without_go_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCESSION_SERVERS", str(tmp_path))
    monkeypatch.setattr(live_demo.shutil, "which", lambda *_arguments, **_options: None)
    with pytest.raises(InputError) as caught:
        live_demo.server_program(print)
    assert "neither temporal nor go" in str(caught.value)
    assert "Install the command line of Temporal" in str(caught.value)
