"""What the README and the docs say is true."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from miner.__main__ import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [README, *(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md"))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with nothing in it but the sample logs."""
    (tmp_path / "sample_logs").symlink_to(ROOT / "sample_logs")
    return tmp_path


def environment(folder: Path) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PROCESSION_STORE": str(folder / "procession-store")}


def sessions() -> list[tuple[str, str]]:
    blocks = "".join(re.findall(r"```console\n(.*?)```", README, re.DOTALL))
    return re.findall(r"\$ (.*)\n((?:(?!\$ ).*\n)*)", blocks)


def test_the_console_sessions_in_the_readme_are_true(folder: Path) -> None:
    assert len(sessions()) >= 5
    for command, shown in sessions():
        result = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=folder,
            env=environment(folder),
            capture_output=True,
            text=True,
        )
        assert (command, result.stdout) == (command, shown), result.stderr


def test_the_python_in_the_readme_runs(folder: Path) -> None:
    test_the_console_sessions_in_the_readme_are_true(folder)
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert "Laptop einrichten" in result.stdout


def test_the_readme_lists_every_command() -> None:
    assert set(re.findall(r"^\| `([\w-]+)`", README, re.MULTILINE)) == set(main.commands)


def test_ci_runs_exactly_the_test_command_of_the_readme() -> None:
    assert "bash .ci/test" in README
    called = (ROOT / ".ci" / "run").read_text(encoding="utf-8").strip().splitlines()[-1]
    assert called == "exec .ci/test"


def test_links_in_the_documents_lead_somewhere() -> None:
    for folder in (ROOT, ROOT / "docs"):
        for path in folder.glob("*.md"):
            for target in re.findall(r"\]\((?!http)([^)#]+)\)", path.read_text(encoding="utf-8")):
                assert (folder / target).exists(), f"{path.name} links to {target}"
