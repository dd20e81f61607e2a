"""The worked example in the words on conformance is true."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from math import sqrt
from pathlib import Path

import pytest

from miner.conformance.deviation import KINDS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "conformance.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def run(command: list[str], folder: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    store = str(folder / "procession-store")
    result = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, "PROCESSION_STORE": store},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_worked_example_is_true(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(*blocks("csv"))
    (tmp_path / "orders.tree").write_text(*blocks("text"))
    sessions = re.findall(r"\$ (.*)\n((?:(?!\$ ).*\n)*)", "".join(blocks("console")))
    assert len(sessions) == 5
    for command, shown in sessions:
        found = run(["bash", "-o", "pipefail", "-c", command], tmp_path)
        assert (command, found) == (command, shown)
    (code,) = blocks("python")
    assert f"`{run([sys.executable, '-c', code], tmp_path).strip()}`" in TEXT


@pytest.mark.parametrize(
    "figure",
    [
        (1 + 1 + 4 / 5 + 6 / 7) / 4,
        1 - 2 / 24,
        1 - 4 / 15,
        1 - (1 / 2 + 1 / sqrt(3) + 1 + 1 / 2) / 4,
    ],
)
def test_the_sums_in_the_table_are_right(figure: float) -> None:
    assert f"{figure:.3f}" in TEXT


def test_every_kind_of_deviation_is_explained() -> None:
    table = TEXT.partition("## The kinds")[2].partition("## Versions")[0]
    assert set(re.findall(r"`(\w+)`", table)) == set(KINDS)
