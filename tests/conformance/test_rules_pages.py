"""What the pages on rules and contracts show is what happens."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

RULES = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
CONTRACTS = (ROOT / "docs" / "contracts.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the pages, and a store with the sample log they are about."""
    path = tmp_path_factory.mktemp("pages")
    for block in re.findall(r"```yaml\n(.*?)```", RULES + CONTRACTS, re.DOTALL):
        (path / block.splitlines()[0].removeprefix("# ")).write_text(block)
    log = ROOT / "sample_logs" / "order_to_cash.csv"
    done = shell(path, f"procession load csv '{log}' --process order-to-cash")
    assert done.returncode == 0, done.stderr
    return path


def shell(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path, "PROCESSION_STORE": str(folder / "procession-store")},
        capture_output=True,
        text=True,
    )


def test_the_console_sessions_are_true(folder: Path) -> None:
    blocks = "".join(re.findall(r"```console\n(.*?)```", CONTRACTS, re.DOTALL))
    sessions = re.findall(r"\$ (.*)\n((?:(?!\$ ).*\n)*)", blocks)
    assert len(sessions) >= 4
    for command, shown in sessions:
        result = shell(folder, command)
        assert (command, result.stdout) == (command, shown), result.stderr


def test_the_python_runs(folder: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", RULES, re.DOTALL)
    (folder / "session.py").write_text(code)
    result = shell(folder, "python session.py")
    assert result.returncode == 0, result.stderr
    assert "Pick goods was done before Approve order" in result.stdout
