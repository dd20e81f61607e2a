"""The layers at run time, and what no file of the project may be or hold."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

HEAVY = ("pm4py", "streamlit", "plotly", "pandas", "matplotlib", "pyarrow", "r4pm")
PACKAGES = ("miner", "ingest", "dashboards", "sample_logs", "tests", "benchmarks")
FORBIDDEN = ("utils", "util", "helpers", "common", "manager", "handler", "base", "core", "misc")
LONGEST = 400


def _imported_by(code: str) -> set[str]:
    shown = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return set(shown.stdout.split())


def _sources(*packages: str) -> list[Path]:
    return sorted(path for name in packages for path in (ROOT / name).rglob("*.py"))


def _tracked() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert paths
    return [path for path in paths if path.is_file()]


def _text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


@pytest.mark.parametrize(
    "module",
    ["miner", "miner.cli", "miner.__main__", "ingest.registry", "ingest.cli", "dashboards.cli"],
)
def test_starting_a_command_imports_nothing_heavy(module: str) -> None:
    assert _imported_by(f"import {module}").isdisjoint(HEAVY)


@pytest.mark.parametrize(
    "code",
    [
        "import miner",
        "from miner import EventLog, EventStore, LogFilter, directly_follows, summary",
        "import miner; [getattr(miner, name) for name in miner.__all__]",
        "import miner.report, miner.discovery.discover, miner.eventlog.verify",
    ],
)
def test_the_miner_has_never_heard_of_a_source_or_a_screen(code: str) -> None:
    loaded = {name.split(".")[0] for name in _imported_by(code)}
    assert "miner" in loaded
    assert loaded.isdisjoint({"ingest", "dashboards", "sample_logs", "streamlit", "pm4py"})


def test_the_sources_have_never_heard_of_a_screen() -> None:
    code = (
        "from ingest.registry import source_class, source_names\n"
        "[source_class(name) for name in source_names()]\n"
        "import ingest.load, ingest.samples"
    )
    loaded = {name.split(".")[0] for name in _imported_by(code)}
    assert "ingest" in loaded
    assert loaded.isdisjoint({"dashboards", "streamlit", "plotly", "pm4py"})


def test_charts_know_no_streamlit() -> None:
    modules = [f"dashboards.charts.{path.stem}" for path in _sources("dashboards/charts")]
    assert len(modules) > 3
    loaded = _imported_by("\n".join(f"import {name}" for name in modules))
    assert "streamlit" not in loaded


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_is_too_long_to_read(package: str) -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in _sources(package)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST
    }
    assert long == {}


def test_no_module_has_a_name_that_says_nothing() -> None:
    names = {part for path in _sources(*PACKAGES) for part in path.relative_to(ROOT).parts}
    assert {name for name in names if name.removesuffix(".py").strip("_") in FORBIDDEN} == set()


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in _sources("miner", "ingest", "dashboards", "sample_logs")
        if (text := path.read_text(encoding="utf-8").strip()) and not text.startswith(('"""', "#!"))
    ]
    assert silent == []


def test_no_text_holds_a_path_of_somebodys_machine() -> None:
    machine = re.compile(r"(?<![\w.])(/home/\w+|/Users/\w+|/root/|[A-Z]:\\Users)")
    found = {
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in _tracked()
        if path != Path(__file__).resolve() and "vendor" not in path.parts
        if (text := _text_of(path)) and (match := machine.search(text))
    }
    assert found == set()


def test_no_text_pretends_to_be_done() -> None:
    words = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    found = {
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in _sources("miner", "ingest", "dashboards", "sample_logs")
        if (match := words.search(path.read_text(encoding="utf-8")))
    }
    assert found == set()


def test_nothing_but_the_bridges_imports_pm4py_and_r4pm() -> None:
    importing = re.compile(r"^\s*(?:import|from) (pm4py|r4pm)\b", re.MULTILINE)
    found = {
        path.name
        for path in _sources("miner", "ingest", "dashboards", "sample_logs")
        if importing.search(path.read_text(encoding="utf-8"))
    }
    assert found <= {"pm4py_bridge.py", "r4pm_bridge.py"}


def test_pages_fit_a_screen() -> None:
    pages = _sources("dashboards/pages")
    assert pages
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in pages}
    assert {name for name, lines in lengths.items() if lines > 40} == set()
