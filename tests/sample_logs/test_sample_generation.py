"""The generator makes the same files again."""

import gzip
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from sample_logs.catalogue import FOLDER
from sample_logs.generate import generate


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return generate(tmp_path_factory.mktemp("again"))


def test_the_same_seed_gives_the_same_bytes(again: list[Path], tmp_path: Path) -> None:
    for first, second in zip(again, generate(tmp_path), strict=True):
        assert (first.name, first.read_bytes()) == (second.name, second.read_bytes())


def test_the_files_of_the_project_are_those_the_generator_writes(again: list[Path]) -> None:
    for made in again:
        kept = FOLDER / made.name
        # How gzip and Parquet pack may change with a release of their libraries; the log may not.
        if made.suffix == ".gz":
            assert gzip.decompress(made.read_bytes()) == gzip.decompress(kept.read_bytes())
        elif made.suffix == ".parquet":
            assert pl.read_parquet(made).equals(pl.read_parquet(kept))
        else:
            assert made.read_bytes() == kept.read_bytes(), made.name


def test_another_seed_gives_other_logs(again: list[Path], tmp_path: Path) -> None:
    for first, second in zip(again, generate(tmp_path, seed=1), strict=True):
        assert first.name == second.name
        assert (first.read_bytes() == second.read_bytes()) is (first.suffix == ".bpmn")


def test_all_files_together_are_a_few_megabytes(again: list[Path]) -> None:
    assert 2_000_000 < sum((FOLDER / path.name).stat().st_size for path in again) < 5_000_000


def test_the_command_writes_into_the_folder_it_is_given(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sample_logs.generate", "--out", str(tmp_path / "new")]
    subprocess.run(command, check=True, capture_output=True, cwd=FOLDER.parent)
    assert (tmp_path / "new" / "catalogue.toml").read_bytes() == (
        FOLDER / "catalogue.toml"
    ).read_bytes()
