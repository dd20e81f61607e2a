"""The real `procession`, started as people and scripts start it."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from miner.__main__ import main
from miner.eventlog.store import LOCK
from tests.test_architecture import HEAVY

PROCESSION = Path(sys.executable).with_name("procession")
LOG = "case_id,activity,timestamp\nc1,A,2026-01-05T08:00:00Z\nc1,B,2026-01-05T09:00:00Z\n"

COMMANDS = [
    *((name,) for name in main.commands),
    *(("load", name) for name in ("csv", "jsonl", "ocel", "parquet", "xes")),
]


def procession(
    *command: str, folder: Path, code: int = 0, **environment: str
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [PROCESSION, *command],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **environment},
        timeout=120,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "log.csv").write_text(LOG, encoding="utf-8")
    procession("load", "csv", "log.csv", "--process", "orders", folder=tmp_path)
    return tmp_path


def test_stdout_is_the_result_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(LOG, encoding="utf-8")
    done = procession("load", "csv", "log.csv", "--process", "orders", folder=tmp_path)
    assert json.loads(done.stdout)["new"] == 2
    assert "case_id" in done.stderr  # what was guessed
    assert (tmp_path / "procession-store").is_dir()
    looked = procession("summary", "orders", folder=tmp_path)
    assert json.loads(looked.stdout)["median_cycle_time_seconds"] == 3600
    assert looked.stderr == ""


def test_the_store_is_that_of_the_flag_then_of_the_environment(folder: Path) -> None:
    (folder / "procession-store").rename(folder / "elsewhere")
    place = str(folder / "elsewhere")
    assert json.loads(procession("processes", folder=folder, PROCESSION_STORE=place).stdout)
    assert json.loads(procession("processes", "--store", place, folder=folder).stdout)
    procession("processes", folder=folder, code=3)
    procession("processes", "--store", "nowhere", folder=folder, code=3, PROCESSION_STORE=place)


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        (("summary", "ordres"), 2, "Did you mean 'orders'?"),
        (("load", "cvs", "log.csv"), 2, "Did you mean 'csv'?"),
        (("load", "csv", "log.cvs"), 2, "Did you mean log.csv?"),
        (("load", "csv", "."), 2, "is a folder"),
        (("summary",), 2, "PROCESS"),
        (("sumary", "orders"), 2, "sumary"),
        (("cases", "orders", "--limit", "0"), 2, "--limit"),
        (("summary", "orders", "--store", "log.csv"), 2, "log.csv"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_errors_end_with_their_code(
    folder: Path, command: tuple[str, ...], code: int, says: str
) -> None:
    done = procession(*command, folder=folder, code=code)
    assert done.stdout == ""
    assert says in done.stderr


def test_a_pipe_that_closes_early_is_no_error(folder: Path) -> None:
    rows = "".join(f"c{n},A,2026-01-05T08:00:00Z\n" for n in range(5000))
    (folder / "many.csv").write_text("case_id,activity,timestamp\n" + rows, encoding="utf-8")
    procession("load", "csv", "many.csv", "--process", "many", folder=folder)
    with subprocess.Popen(
        [PROCESSION, "cases", "many", "--limit", "5000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        text=True,
    ) as running:
        assert running.stdout and running.stderr
        running.stdout.read(10)
        running.stdout.close()
        assert "Traceback" not in running.stderr.read()
    assert running.returncode == 0


def test_a_store_that_is_locked_is_waited_for_and_not_for_ever(folder: Path) -> None:
    with (folder / "procession-store" / LOCK).open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        started = time.monotonic()
        (folder / "log.csv").write_text(LOG + "c2,A,2026-01-06T08:00:00Z\n", encoding="utf-8")
        done = procession(
            *("load", "csv", "log.csv", "--process", "orders"),
            folder=folder,
            code=3,
            PROCESSION_WAIT_SECONDS="1",
        )
        assert 1 <= time.monotonic() - started < 20
        assert done.stdout == ""
        assert "waiting" in done.stderr
        assert "being written by process" in done.stderr
        # whoever only looks does not wait
        looked = procession("summary", "orders", folder=folder, PROCESSION_WAIT_SECONDS="60")
        assert json.loads(looked.stdout)["cases"] == 1
    done = procession("load", "csv", "log.csv", "--process", "orders", folder=folder)
    assert json.loads(done.stdout)["new"] == 1


def test_an_interrupted_load_says_so(folder: Path) -> None:
    with (folder / "procession-store" / LOCK).open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with subprocess.Popen(
            [PROCESSION, "prepare"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            text=True,
        ) as running:
            time.sleep(2.5)
            running.send_signal(2)
            out, said = running.communicate(timeout=30)
    assert (running.returncode, out) == (130, "")
    assert said.strip() == "procession: Stopped. What was loaded until now is kept."


def test_a_terminal_gets_a_table(folder: Path) -> None:
    ours, theirs = os.openpty()
    try:
        subprocess.run([PROCESSION, "processes"], stdout=theirs, cwd=folder, check=True, timeout=60)
        os.close(theirs)
        shown = os.read(ours, 65536).decode()
    finally:
        os.close(ours)
    assert "first event" in shown and "───" in shown and "orders" in shown


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help(command: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, [*command, "--help"])
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: ")
    described = result.stdout.split("\n\n")[1].strip()
    assert described and not described.startswith("Options")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, time\n"
        "started = time.perf_counter()\n"
        "from click.testing import CliRunner\n"
        "from miner.__main__ import main\n"
        f"for command in {COMMANDS!r}:\n"
        "    result = CliRunner().invoke(main, [*command, '--help'])\n"
        "    assert result.exit_code == 0, (command, result.output)\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
        "print(time.perf_counter() - started)\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy, seconds = shown.stdout.splitlines()
    print(f"help of {len(COMMANDS)} commands: {float(seconds):.2f} s")
    assert heavy == "[]"


@pytest.mark.parametrize(
    "command", [("--help",), ("--version",), ("sources",), ("load", "csv", "--help")], ids=" ".join
)
def test_what_needs_no_log_imports_nothing_heavy(command: tuple[str, ...], tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from miner.__main__ import main\n"
        "try:\n"
        f"    main({list(command)!r})\n"
        "finally:\n"
        f"    print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stderr.strip() == "[]"
    assert shown.stdout.strip()
    started = time.perf_counter()
    procession(*command, folder=tmp_path)
    print(f"procession {' '.join(command)}: {time.perf_counter() - started:.2f} s")


def test_looking_imports_nothing_that_only_drawing_and_mining_need(folder: Path) -> None:
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from miner.__main__ import main\n"
        "for name in ('summary', 'variants', 'times', 'bottlenecks', 'failures', 'cases'):\n"
        "    assert CliRunner().invoke(main, [name, 'orders']).exit_code == 0, name\n"
        "heavy = ('pm4py', 'streamlit', 'plotly', 'pandas', 'matplotlib', 'r4pm')\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder
    )
    assert shown.stdout.strip() == "[]"
