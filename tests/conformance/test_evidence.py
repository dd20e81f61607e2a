"""The evidence pack: everything an answer rests on, complete and the same as elsewhere."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from miner.conformance.allowances import Allowance, allow
from miner.conformance.evidence import exceptions, moves
from miner.conformance.evidence.pack import write_pack
from miner.conformance.evidence.question import Question
from miner.conformance.workflows import of_model
from miner.eventlog import audit
from miner.eventlog.store import EventStore
from miner.model.process_model import model_of_net
from miner.model.process_tree import Operator, activity, tree
from miner.model.tree_net import net_of_tree
from tests.commands import answer, run
from tests.conformance.models import sequence
from tests.conformance.test_versions import definition
from tests.conftest import ROOT
from tests.logs import events_of

SAMPLES = ROOT / "sample_logs"
RULES = """
rules:
  - name: ship-soon
    template: response
    first: Approve order
    then: Ship goods
    within: 5 days
  - name: credit-first
    template: precedence
    first: Check credit
    then: Approve order
    severity: warning
"""
TOMORROW = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1)


@dataclass(frozen=True)
class Opened:
    """A pack with its files."""

    said: dict[str, Any]
    files: dict[str, bytes]

    def rows(self, name: str) -> list[dict[str, str]]:
        text = io.StringIO(self.files[name].decode(), newline="")
        return list(csv.DictReader(text))

    def json(self, name: str) -> Any:
        return json.loads(self.files[name])


def evidence(folder: Path, process: str, *options: str, name: str = "pack.zip") -> Opened:
    path = folder / name
    said = answer(folder, "evidence", process, "--out", str(path), *options)
    assert answer(folder, "evidence", "--verify", str(path), "--root", said["root"])["whole"]
    with zipfile.ZipFile(path) as opened:
        return Opened(said, {each: opened.read(each) for each in opened.namelist()})


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the sample orders, both versions of their workflow, and rules beside it."""
    folder = tmp_path_factory.mktemp("orders")
    answer(
        folder, "load", "csv", str(SAMPLES / "order_to_cash.csv"), "--process", "orders",
        "--case", "case_id", "--activity", "activity", "--start", "start_time",
        "--timestamp", "end_time", "--resource", "resource",
    )  # fmt: skip
    for version, file in (("v1", "order_to_cash_v1.bpmn"), ("v2", "order_to_cash.bpmn")):
        answer(folder, "model", "add", "orders", str(SAMPLES / file), "--version", version)
    (folder / "rules.yaml").write_text(RULES, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def pack(orders: Path) -> Opened:
    rules = str(orders / "rules.yaml")
    return evidence(orders, "orders", "--rules", rules, "--sample", "30", "--seed", "7")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small store that no test adds to."""
    folder = tmp_path_factory.mktemp("small")
    small_store(folder)
    return folder


def small_store(folder: Path) -> EventStore:
    """Four closed cases and an open one of version 1, and one of a version that nobody defined."""
    traces = {
        "fits": "a@0(ann) b@1(ben)", "skips": "a@2(ann)", "adds": "a@3(ann) x@4(cid) b@5(ben)",
        "other": "a@9(ann) b@10(ben)", "empty": "a@20/", "runs": "a@11(ann) b@12-",
    }  # fmt: skip
    version = pl.when(pl.col("case_id") == "other").then(pl.lit("2")).otherwise(pl.lit("1"))
    store = EventStore(folder / "store")
    with store.write() as writer:
        frame = events_of(traces).with_columns(process_version=version)
        writer.append(frame, source="s", process="p")
        writer.define([definition(sequence("a", "b"), "1")], source="s", process="p")
    return store


@pytest.mark.parametrize(
    "options",
    [("--since", "2026-04-13"), ("--version", "v1", "--not", "--activity", "Call customer")],
)
def test_the_figures_are_those_of_conform_on_the_same_filter(
    orders: Path, options: tuple[str, ...]
) -> None:
    expected = answer(orders, "conform", "orders", *options)
    found = evidence(orders, "orders", *options).json("figures.json")["conformance"]
    shares = [name for name, value in expected.items() if isinstance(value, float)]
    assert expected["cases"] > 100 and len(shares) > 5
    for name in shares:
        assert found.pop(name) == pytest.approx(expected.pop(name), rel=1e-11)
    assert found == expected


def test_the_population_is_every_judged_case_and_adds_up_to_the_figures(pack: Opened) -> None:
    rows = pack.rows("population.csv")
    found = pack.json("figures.json")["conformance"]
    assert len(rows) == len({row["case_id"] for row in rows}) == found["cases"] == 2350
    conforming = sum(row["conforming"] == "true" for row in rows)
    assert conforming == found["conforming_cases"] == pack.said["conforming_cases"]
    assert sum(int(row["cost"]) for row in rows) == found["total_cost"]
    fitness = sum(float(row["fitness"]) for row in rows) / len(rows)
    assert fitness == pytest.approx(found["fitness"])


def test_the_exceptions_are_all_deviations_and_all_violations(orders: Path, pack: Opened) -> None:
    rows = pack.rows("exceptions.csv")
    listed = answer(orders, "deviations", "orders", "--limit", "1000000")
    of_model = [row for row in rows if not row["rule"]]
    assert [(row["case_id"], row["kind"], row["sentence"]) for row in of_model] == [
        (row["case_id"], row["kind"], row["sentence"]) for row in listed
    ]
    for rule in pack.json("figures.json")["rules"]:
        of_rule = [row for row in rows if row["rule"] == rule["rule"]]
        assert len(of_rule) == rule["violations"]
        assert len({row["case_id"] for row in of_rule}) == rule["violating_cases"]
    assert len(rows) == pack.said["exceptions"] > len(listed) > 0
    assert all(row["sentence"].endswith(".") for row in rows)
    deviating = {row["case_id"] for row in of_model}
    assert deviating == {
        row["case_id"] for row in pack.rows("population.csv") if row["conforming"] == "false"
    }


def test_pages_make_no_difference(orders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ("--rules", str(orders / "rules.yaml"), "--since", "2026-04-13")
    whole = evidence(orders, "orders", *options)
    monkeypatch.setattr(exceptions, "PAGE", 37)
    monkeypatch.setattr(moves, "PAGE", 3)
    pieces = evidence(orders, "orders", *options)
    for name in ("exceptions.csv", "alignments.csv", "figures.json"):
        assert whole.files[name] == pieces.files[name], name


def test_anybody_can_draw_the_sample_again(pack: Opened) -> None:
    population = pack.rows("population.csv")
    order = sorted(
        (row["case_id"] for row in population),
        key=lambda case: hashlib.sha256(f"7\x1f{case}".encode()).hexdigest(),
    )
    drawn = pack.rows("sample.csv")
    assert [row["case_id"] for row in drawn] == order[:30]
    assert {row["case_id"] for row in population if row["sampled"] == "true"} == set(order[:30])
    assert {row["case_id"] for row in pack.rows("sample_events.csv")} == set(order[:30])
    assert all(case in pack.files["report.html"].decode() for case in order[:30])


def test_another_seed_draws_another_sample_and_no_more_than_there_is(small: Path) -> None:
    drawn = evidence(small, "p", "--sample", "99", "--seed", "1").rows("sample.csv")
    assert {row["case_id"] for row in drawn} == {"fits", "skips", "adds", "empty"}
    seeds = [
        evidence(small, "p", "--sample", "1", "--seed", str(seed)).rows("sample.csv")
        for seed in (1, 3, 4)
    ]
    assert len({rows[0]["case_id"] for rows in seeds}) > 1


def test_cases_that_were_not_judged_are_listed_with_the_reason(small: Path) -> None:
    found = evidence(small, "p")
    assert [(row["case_id"], row["reason"]) for row in found.rows("left_out.csv")] == [
        ("other", "unmodelled"),
        ("runs", "open"),
    ]
    assert found.json("figures.json")["population"] == {
        "selected": 6, "open": 1, "unmodelled": 1, "unaligned": 0, "cases": 4, "sampled": 0,
    }  # fmt: skip


def test_cases_that_no_alignment_was_found_for_in_time_are_left_out(tmp_path: Path) -> None:
    store = small_store(tmp_path)
    wide = tree(Operator.PARALLEL, *map(activity, "abcdefghijklmnopq"))  # 2^17 markings
    model = model_of_net("wide", net_of_tree(wide))
    path = tmp_path / "pack.zip"
    question = Question("p", "a wide model")
    said = write_pack(store, question, lambda log: of_model(log, model), path, seconds=0)
    with zipfile.ZipFile(path) as opened:
        found = Opened({}, {each: opened.read(each) for each in opened.namelist()})
    unaligned = [row for row in found.rows("left_out.csv") if row["reason"] == "unaligned"]
    counted = found.json("figures.json")["population"]
    assert counted["unaligned"] == len(unaligned) > 0
    assert counted["cases"] == said.cases == len(found.rows("population.csv"))
    assert counted["cases"] + counted["unaligned"] + counted["open"] == counted["selected"]


def test_alignments_lead_from_what_was_done_to_the_model(orders: Path, pack: Opened) -> None:
    steps: dict[str, list[dict[str, str]]] = {}
    for row in pack.rows("alignments.csv"):
        steps.setdefault(f"{row['model']} {row['trace']}", []).append(row)
    traces = {}
    for row in pack.rows("population.csv"):
        if row["conforming"] == "false":
            traces.setdefault(f"{row['model']} {row['trace']}", []).append(row["case_id"])
    assert steps.keys() == traces.keys() and steps
    for key, rows in steps.items():
        assert int(rows[0]["cases"]) == len(traces[key])
        assert int(rows[0]["cost"]) == sum(row["move"] != "both" for row in rows)
        assert [int(row["step"]) for row in rows] == list(range(1, len(rows) + 1))
        done = [row["activity"] for row in rows if row["move"] != "model"]
        events = answer(orders, "case", "orders", traces[key][0])["events"]
        assert done == [each["activity"] for each in events if each["lifecycle"] == "complete"]


def test_the_digest_of_the_data_is_that_of_the_exported_file(orders: Path, pack: Opened) -> None:
    options = ("--since=2026-04-13", "--not", "--activity=Call customer")
    narrowed = evidence(orders, "orders", *options)
    for found, more in ((pack, ()), (narrowed, options)):
        answer(orders, "export", "orders", *more, "--out", str(orders / "events.csv"))
        data = (orders / "events.csv").read_bytes()
        described = found.json("dataset.json")
        assert described["sha256"] == hashlib.sha256(data).hexdigest()
        assert described["events"] == data.count(b"\n") - 1
    assert narrowed.json("filter.json")["flags"] == list(options)


def test_the_same_store_question_and_time_give_the_same_bytes(tmp_path: Path) -> None:
    small_store(tmp_path / "one")
    evidence(tmp_path / "one", "p")  # keeps the alignments, and so makes another snapshot
    now = datetime.now(UTC).isoformat()
    shutil.copytree(tmp_path / "one" / "store", tmp_path / "two" / "store")
    packs = [
        evidence(tmp_path / each, "p", "--sample", "2", "--at", now) for each in ("one", "two")
    ]
    assert packs[0].said["root"] == packs[1].said["root"]
    assert packs[0].files == packs[1].files
    data = [(tmp_path / each / "pack.zip").read_bytes() for each in ("one", "two")]
    assert data[0] == data[1]


def test_each_pack_knows_the_root_of_the_one_before(tmp_path: Path) -> None:
    store = small_store(tmp_path)
    roots = [None]
    for _ in range(3):
        found = evidence(tmp_path, "p")
        assert found.said["previous_root"] == roots[-1]
        assert found.json("manifest.json")["about"]["previous_root"] == roots[-1]
        roots.append(found.said["root"])
    trail = [json.loads(line) for line in (store.folder / audit.FILE).read_text().splitlines()]
    assert [line["root"] for line in trail if line["action"] == "evidence"] == roots[1:]
    assert audit.broken_at(store.folder) is None
    assert len(found.files["audit.jsonl"].splitlines()) == len(trail) - 1


def test_an_audit_trail_that_was_changed_is_told(tmp_path: Path) -> None:
    store = small_store(tmp_path)
    trail = store.folder / audit.FILE
    trail.write_text(trail.read_text().replace('"sequence": 1', '"sequence": 2', 1))
    page = evidence(tmp_path, "p").files["report.html"].decode()
    assert "The audit trail was changed: its line 1 does not follow" in page


def test_figures_stand_before_and_after_the_allow_list(tmp_path: Path) -> None:
    store = small_store(tmp_path)
    (tmp_path / "rules.yaml").write_text(
        "rules:\n  - {name: no-x, template: absence, activity: x}\n"
        "  - {name: b-is-done, template: existence, activity: b}\n"
    )
    options = ("--rules", str(tmp_path / "rules.yaml"))
    before = evidence(tmp_path, "p", *options)
    assert (before.said["conforming_cases"], before.said["accepted_cases"]) == (1, 1)
    allow(store, "p", Allowance("skipped", "b", "=1+1", "ann", "ben", TOMORROW))
    allow(store, "p", Allowance(None, None, "x is new", "ann", "ben", TOMORROW, rule="no-x"))
    after = evidence(tmp_path, "p", *options)
    assert (after.said["conforming_cases"], after.said["accepted_cases"]) == (1, 2)
    rows = {(row["rule"], row["case_id"]): row["allowed"] for row in after.rows("exceptions.csv")}
    assert rows["", "skips"] == rows["b-is-done", "skips"] == rows["no-x", "adds"] == "true"
    assert rows["", "adds"] == "false"
    assert {row["allowed"] for row in before.rows("exceptions.csv")} == {"false"}
    assert [row["reason"] for row in after.rows("allowances.csv")] == ["'=1+1", "x is new"]
    assert "=1+1" in after.files["report.html"].decode()


def test_the_page_needs_nothing_but_itself(pack: Opened) -> None:
    page = pack.files["report.html"].decode()
    assert "default-src 'none'" in page and "<script" not in page
    addresses = set(re.findall(r"https?://[^\"'\s<]+", page))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    for heading in ("Population", "Exceptions", "By week", "Impact", "Rules", "Allow-list"):
        assert f"<h2>{heading}</h2>" in page
    assert "prefers-color-scheme: dark" in page and "@media print" in page


def test_the_pack_has_the_models_and_rules_as_they_were_given(pack: Opened) -> None:
    listed = pack.json("model/models.json")
    assert [each["version"] for each in listed] == ["v1", "v2"]
    for each, file in zip(listed, ("order_to_cash_v1.bpmn", "order_to_cash.bpmn"), strict=True):
        assert pack.files[each["file"]] == (SAMPLES / file).read_bytes()
        assert hashlib.sha256(pack.files[each["file"]]).hexdigest() == each["sha256"]
        assert pack.files[each["picture"]].startswith(b"<svg")
    assert {row["model"] for row in pack.rows("population.csv")} == {
        each["model"] for each in listed
    }
    assert pack.files["rules.yaml"].decode() == RULES
    assert pack.json("environment.json")["packages"].keys() >= {"duckdb", "pm4py", "procession"}


def test_a_filter_that_nothing_meets_gives_an_empty_pack(small: Path) -> None:
    found = evidence(small, "p", "--since", "2030-01-01", "--sample", "3")
    assert found.said["cases"] == found.said["exceptions"] == 0
    assert found.rows("population.csv") == found.rows("sample.csv") == []
    assert "No case could be judged." in found.files["report.html"].decode()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("p",), "Evidence of which process"),
        ((), "Evidence of which process"),
        (("p", "--out", "pack.tar"), "is no zip file"),
        (("q", "--out", "pack.zip"), "There is no process named 'q'"),
        (("p", "--out", "nowhere/pack.zip"), "cannot be written"),
        (("p", "--out", "pack.zip", "--at", "2050-01-01"), "cannot be made now"),
        (("p", "--out", "pack.zip", "--at", "2020-01-01"), "cannot be made now"),
        (("p", "--out", "pack.zip", "--at", "soon"), "no date or time"),
        (("p", "--out", "pack.zip", "--version", "9"), "There is no version named '9'"),
        (("p", "--out", "pack.zip", "--version", "1", "--newest"), "Give one of"),
        (("p", "--out", "pack.zip", "--rules", "nothing.yaml"), "nothing.yaml"),
    ],
)
def test_a_question_that_cannot_be_answered_gets_a_sentence(
    small: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(small)
    before = sorted(small.iterdir())
    result = run(small, "evidence", *options)
    assert result.exit_code == 2
    assert says in result.stderr and "Traceback" not in result.stderr
    assert sorted(small.iterdir()) == before


def test_a_time_at_which_the_allow_list_was_another_is_refused(tmp_path: Path) -> None:
    store = small_store(tmp_path)
    options = ("--out", str(tmp_path / "pack.zip"))
    then = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    allow(store, "p", Allowance("skipped", "b", "r", "ann", "ben", TOMORROW))
    with store.write() as writer, writer.transaction():
        writer.connection.execute("update load set started_at = started_at - interval 1 hour")
        writer.connection.execute(
            "update allowance set allowed_at = allowed_at + interval 1 second"
        )
    result = run(tmp_path, "evidence", "p", "--at", then, *options)
    assert result.exit_code == 2 and "The allow-list has changed since" in result.stderr
