"""What the page about the evidence pack says is true."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.test_docs import environment

PAGE = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the sessions of the page have run and answered as it says."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "sample_logs").symlink_to(ROOT / "sample_logs")
    blocks = "".join(re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL))
    sessions = re.findall(r"\$ (.*)\n((?:(?!\$ ).*\n)*)", blocks)
    assert len(sessions) >= 8
    for command, shown in sessions:
        result = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=environment(folder),
            capture_output=True,
            text=True,
        )
        pattern = re.escape(shown).replace("…", ".+")
        assert re.fullmatch(pattern, result.stdout), (command, result.stdout, result.stderr)
    return folder


def test_the_sessions_and_the_sample_drawn_again_are_true(folder: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)


def test_the_page_names_every_file_of_a_pack(folder: Path) -> None:
    with zipfile.ZipFile(folder / "pack.zip") as pack:
        names = {re.sub(r"^model/.*", "model/", name) for name in pack.namelist()}
    table = "".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`([^`]+)`", table)) == names | {"rules.yaml"}
