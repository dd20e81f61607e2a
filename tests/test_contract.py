"""The command line as others script against it: keys, exit codes, streams, filters."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from miner.__main__ import main

LOG = """\
case_id,activity,started,ended,resource,lifecycle,attempt,error_type,process_version,case:region
c1,Create,2026-03-02T08:00:00Z,2026-03-02T08:10:00Z,ann,complete,1,,v1,North
c1,Check,2026-03-02T08:25:00Z,2026-03-02T08:40:00Z,bob,complete,1,,v1,North
c1,Pay,2026-03-02T08:40:00Z,2026-03-02T08:41:00Z,bank,complete,1,,v1,North
c2,Create,2026-03-03T08:00:00Z,2026-03-03T08:05:00Z,ann,complete,1,,v1,South
c2,Pay,2026-03-03T09:00:00Z,2026-03-03T09:01:00Z,bank,fail,1,Declined,v1,South
c2,Pay,2026-03-03T09:05:00Z,2026-03-03T09:06:00Z,bank,complete,2,,v1,South
c3,Create,2026-03-04T08:00:00Z,2026-03-04T08:20:00Z,ann,complete,1,,v2,North
c3,Check,2026-03-04T09:00:00Z,2026-03-04T09:30:00Z,bob,complete,1,,v2,North
c3,Create,2026-03-05T08:00:00Z,2026-03-05T08:10:00Z,ann,complete,1,,v2,North
c3,Pay,2026-03-05T09:00:00Z,2026-03-05T09:01:00Z,bank,fail,1,Timeout,v2,North
"""
MORE = """\
case_id,activity,timestamp
x1,A,2026-01-05T08:00:00Z
x1,B,2026-01-05T09:00:00Z
"""


def run(*command: str) -> Result:
    return CliRunner().invoke(main, command, catch_exceptions=False)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("contract")
    for name, text in (("orders", LOG), ("plain", MORE)):
        file = folder / f"{name}.csv"
        file.write_text(text, encoding="utf-8")
        result = run("load", "csv", str(file), "--process", name, "--store", str(folder / "store"))
        assert result.exit_code == 0, result.stderr
    return str(folder / "store")


def answer(store: str, *command: str) -> Any:
    result = run(*command, "--store", store)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def refusal(*command: str, code: int = 2) -> str:
    """What a command says that cannot be done: one sentence and a hint, on stderr alone."""
    result = run(*command)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    text = result.stderr.strip()
    assert text.startswith("procession: ")
    assert len(text.splitlines()) <= 2, text
    return text


KEYS = {
    ("processes",): "process cases events activities variants first_event last_event",
    ("summary", "orders"): (
        "process cases events activities variants open_cases failed_cases first_event last_event "
        "median_cycle_time_seconds p95_cycle_time_seconds p99_cycle_time_seconds failure_rate "
        "retry_rate rework_rate first_pass_yield throughput_per_day"
    ),
    ("directly-follows", "orders"): (
        "activity next_activity frequency cases median_seconds p95_seconds"
    ),
    ("variants", "orders"): "variant activities cases share median_cycle_time_seconds",
    ("times", "orders"): (
        "activity instances median_waiting_seconds p95_waiting_seconds median_service_seconds "
        "p95_service_seconds median_sojourn_seconds"
    ),
    ("bottlenecks", "orders"): (
        "activity previous_activity cases total_waiting_seconds share_of_cycle_time"
    ),
    ("failures", "orders"): (
        "activity attempts failed_attempts failure_rate retries recovered "
        "median_recovery_seconds top_error"
    ),
    ("rework", "orders"): "activity cases rework_cases",
    ("handovers", "orders"): "resource next_resource frequency",
    ("cases", "orders"): "case_id status cycle_time_seconds events",
    ("case", "orders", "c1"): "case_id status timeline events cycle_time_seconds",
    ("resources", "orders"): "resource instances mean_service_seconds",
    ("quality", "orders"): "finding count of share touches",
    ("loads",): "source process read new duplicate corrected unchanged rejected",
    ("sources",): "source",
    ("verify",): "statement holds",
}


@pytest.mark.parametrize("command", KEYS, ids=" ".join)
def test_the_keys_of_a_result_are_fixed(store: str, command: tuple[str, ...]) -> None:
    found = answer(store, *command) if command != ("sources",) else json.loads(run(*command).stdout)
    rows = found if isinstance(found, list) else [found]
    assert rows
    for row in rows:
        assert set(KEYS[command].split()) <= set(row)


@pytest.mark.parametrize("command", KEYS, ids=" ".join)
@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_every_result_has_three_forms(store: str, command: tuple[str, ...], form: str) -> None:
    place = () if command == ("sources",) else ("--store", store)
    result = run(*command, *place, "--format", form)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.endswith("\n") and result.stdout.strip()
    if form == "json":
        json.loads(result.stdout)
    elif form == "csv":
        header, *rows = csv.reader(io.StringIO(result.stdout))
        assert all(len(row) == len(header) for row in rows)
        assert set(KEYS[command].split()) - {"timeline", "events"} <= set(header)


def test_a_load_says_what_became_of_every_row(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(LOG + "c9,,2026-03-02T08:00:00Z,nonsense,,,,,,\n", encoding="utf-8")
    command = ("load", "csv", str(file), "--process", "orders")
    first = run(*command, "--store", str(tmp_path / "s"))
    assert first.exit_code == 0, first.stderr
    row = json.loads(first.stdout)
    assert list(row)[:10] == (
        [
            "source",
            "process",
            "read",
            "new",
            "duplicate",
            "corrected",
            "unchanged",
            "rejected",
            "cases",
            "seconds",
        ]
    )
    parts = ("new", "duplicate", "corrected", "unchanged", "rejected")
    assert row["read"] == sum(row[part] for part in parts)
    assert (row["source"], row["process"], row["new"], row["cases"]) == ("csv", "orders", 20, 3)
    assert row["rejected"] == 1
    assert "case_id" in first.stderr and "activity" in first.stderr  # what was guessed
    again = json.loads(run(*command, "--store", str(tmp_path / "s")).stdout)
    assert (again["new"], again["corrected"], again["rejected"]) == (0, 0, row["rejected"])
    assert again["read"] == row["read"]
    (rejected,) = answer(str(tmp_path / "s"), "rejected", "--process", "orders")
    assert {"reason", "record", "load_id"} <= set(rejected)
    assert "c9" in rejected["record"]


def test_a_file_that_grew_adds_what_is_new(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    place = ("--process", "p", "--store", str(tmp_path / "s"))
    file.write_text(MORE, encoding="utf-8")
    run("load", "csv", str(file), *place)
    file.write_text(MORE + "x1,C,2026-01-05T10:00:00Z\n", encoding="utf-8")
    row = json.loads(run("load", "csv", str(file), *place).stdout)
    assert (row["read"], row["new"], row["duplicate"]) == (3, 1, 2)
    assert answer(str(tmp_path / "s"), "summary", "p")["events"] == 3


def test_the_summary_is_right(store: str) -> None:
    found = answer(store, "summary", "orders")
    assert (found["cases"], found["events"], found["variants"]) == (3, 20, 3)
    assert (found["open_cases"], found["failed_cases"]) == (0, 1)
    assert found["first_event"] == "2026-03-02T08:00:00Z"
    assert found["median_cycle_time_seconds"] == 66 * 60
    assert found["failure_rate"] == found["retry_rate"] == found["rework_rate"]
    assert found["failure_rate"] == pytest.approx(1 / 3)
    assert found["first_pass_yield"] == pytest.approx(1 / 3)


def test_start_and_end_of_a_case_are_rows_without_an_activity(store: str) -> None:
    rows = answer(store, "directly-follows", "orders")
    assert {
        key: row[key]
        for row in rows
        if row["activity"] is None
        for key in ("activity", "next_activity", "frequency", "cases")
    } == {"activity": None, "next_activity": "Create", "frequency": 3, "cases": 3}
    assert [row["frequency"] for row in rows if row["next_activity"] is None] == [3]


def test_unknown_is_null(store: str) -> None:
    found = answer(store, "summary", "plain")
    for key in ("failed_cases", "failure_rate", "retry_rate", "first_pass_yield"):
        assert found[key] is None
    for row in answer(store, "times", "plain"):
        assert row["median_waiting_seconds"] is row["median_service_seconds"] is None


def test_failures_tell_of_retries_recovery_and_errors(store: str) -> None:
    rows = {row["activity"]: row for row in answer(store, "failures", "orders")}
    pay = rows["Pay"]
    assert (pay["attempts"], pay["failed_attempts"], pay["retries"]) == (4, 2, 1)
    assert (pay["failure_rate"], pay["recovered"]) == (0.5, 1)
    assert pay["median_recovery_seconds"] == 5 * 60
    assert pay["top_error"] == "Declined"  # as frequent as Timeout, and earlier by name
    assert rows["Check"]["failed_attempts"] == 0


def test_the_top_variants_and_a_page_of_cases(store: str) -> None:
    assert len(answer(store, "variants", "orders", "--top", "2")) == 2
    assert [row["case_id"] for row in answer(store, "cases", "orders", "--limit", "1")] == ["c3"]
    page = answer(store, "cases", "orders", "--offset", "1", "--order", "newest")
    assert [row["case_id"] for row in page] == ["c2", "c1"]


@pytest.mark.parametrize(
    "command",
    [key for key in KEYS if key[0] not in ("processes", "loads", "sources", "verify")],
    ids=lambda command: command[0],
)
def test_every_look_takes_every_filter(store: str, command: tuple[str, ...]) -> None:
    from miner.eventlog.filters import KINDS

    shown = run(command[0], "--help").stdout
    assert [kind for kind in KINDS if f"--{kind}" not in shown] == []
    assert "--not" in shown
    assert answer(store, *command, "--activity", "Check") is not None


def test_a_case_outside_the_filter_is_not_found(store: str) -> None:
    assert "c2" in refusal("case", "orders", "c2", "--activity", "Check", "--store", store)


def test_an_empty_selection_is_no_error(store: str) -> None:
    nobody = ("--longer-than", "900d")
    assert answer(store, "summary", "orders", *nobody)["median_cycle_time_seconds"] is None
    for command in ("directly-follows", "variants", "times", "bottlenecks", "failures", "cases"):
        assert answer(store, command, "orders", *nobody) == []


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("summary", "ordres"), "Did you mean 'orders'?"),
        (("case", "orders", "c99"), "no case 'c99'"),
        (("cases", "orders", "--activity", "Chek"), "Did you mean 'Check'?"),
        (("cases", "orders", "--follows", "Chek>Pay"), "Did you mean 'Check'?"),
        (("cases", "orders", "--resource", "bobb"), "Did you mean 'bob'?"),
        (("cases", "orders", "--status", "opne"), "Did you mean 'open'?"),
        (("cases", "orders", "--since", "tomorrow"), "'tomorrow'"),
        (("cases", "orders", "--longer-than", "soon"), "'soon'"),
        (("cases", "orders", "--follows", "Check"), "A>B"),
        (("cases", "orders", "--attribute", "region"), "KEY=VALUE"),
        (("cases", "orders", "--top-variants", "many"), "'many'"),
        (("cases", "orders", "--not"), "--not"),
        (("rejected", "--process", "ordres"), "Did you mean 'orders'?"),
        (("loads", "--process", "ordres"), "Did you mean 'orders'?"),
        (("prepare", "ordres"), "Did you mean 'orders'?"),
        (("export", "orders", "--out", "log.xls"), ".xes"),
        (("map", "orders", "--out", "map"), ".svg"),
        (("discover", "orders", "--out", "model.txt"), ".bpmn"),
        (("discover", "orders", "--algorithm", "inductve", "--out", "m.bpmn"), "'inductive'"),
        (("report", "orders", "--out", "report.pdf"), ".html"),
        (("export", "orders", "--out", "no/such/folder/log.csv"), "no/such/folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    store: str, command: tuple[str, ...], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert says in refusal(*command, "--store", store)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("load", "cvs", "x"), "Did you mean 'csv'?"),
        (("load", "csv", "orders.cvs", "--process", "p"), "Did you mean orders.csv?"),
        (("load", "csv", "orders.csv", "--case", "case-id", "--process", "p"), "'case_id'"),
        (("load", "csv", "orders.csv", "--timezone", "Europe/Berln"), "Europe/Berlin"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_loaded_is_said_in_a_sentence(
    command: tuple[str, ...], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("orders.csv").write_text(MORE.replace("Z", ""), encoding="utf-8")
    assert says in refusal(*command, "--store", "s") if command[1] != "cvs" else refusal(*command)


def test_a_store_that_is_not_there_ends_with_three(tmp_path: Path) -> None:
    for command in (("processes",), ("summary", "orders"), ("case", "orders", "c1")):
        said = refusal(*command, "--store", str(tmp_path / "nothing"), code=3)
        assert "procession load" in said
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("ending", [".xes", ".xes.gz", ".csv", ".parquet"])
def test_what_is_exported_can_be_loaded_again(store: str, ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"orders{ending}"
    assert answer(store, "export", "orders", "--out", str(file))
    source = ending.split(".")[1]
    other = str(tmp_path / "s")
    loaded = run("load", source, str(file), "--process", "orders", "--store", other)
    assert loaded.exit_code == 0, loaded.stderr
    assert answer(other, "summary", "orders") == answer(store, "summary", "orders")
    assert answer(other, "variants", "orders") == answer(store, "variants", "orders")
    assert answer(other, "failures", "orders") == answer(store, "failures", "orders")


def test_a_report_needs_nothing_but_itself(store: str, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    assert answer(store, "report", "orders", "--out", str(file))["out"] == str(file)
    text = file.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text
    for heading in ("Process map", "Variants", "Bottlenecks", "Failures", "Rework"):
        assert f"<h2>{heading}</h2>" in text


def test_discover_writes_a_model_and_its_qualities(store: str, tmp_path: Path) -> None:
    found = answer(store, "discover", "orders", "--out", str(tmp_path / "m.bpmn"))
    assert 0 <= found["fitness"] <= 1
    assert found["precision"] is None or 0 <= found["precision"] <= 1
    assert b"definitions" in (tmp_path / "m.bpmn").read_bytes()


@pytest.mark.parametrize("ending", [".svg", ".png", ".html"])
def test_the_map_is_drawn(store: str, ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"map{ending}"
    assert answer(store, "map", "orders", "--out", str(file))["activities_total"] == 3
    start = {".svg": b"<svg", ".png": b"\x89PNG", ".html": b"<!doctype html"}[ending]
    assert file.read_bytes().lstrip().lower().startswith(start.lower())


def test_prepare_verify_and_compact_leave_the_figures_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(LOG, encoding="utf-8")
    place = str(tmp_path / "s")
    run("load", "csv", str(tmp_path / "log.csv"), "--process", "orders", "--store", place)
    before = answer(place, "summary", "orders")
    assert answer(place, "prepare")["cases"] == 3
    assert {row["holds"] for row in answer(place, "verify")} == {True}
    assert answer(place, "compact")["bytes_after"] > 0
    assert answer(place, "summary", "orders") == before


def test_commands_nobody_has_asked_for_are_no_stubs() -> None:
    for name in ("changes", "compare", "note"):
        assert name not in main.commands
