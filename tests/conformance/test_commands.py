"""`procession model`, `conform`, `deviations`, `allow`, as scripts call them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from miner.eventlog.store import EventStore
from miner.model.bpmn_writer import to_bpmn
from tests.commands import answer, run
from tests.conformance.models import model_of, sequence
from tests.logs import events_of

KEYS = {
    "model",
    "version",
    "cases",
    "conforming_cases",
    "conformance_rate",
    "total_cost",
    "fitness",
    "log_fitness",
    "precision",
    "unaligned_cases",
    "deviations",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    traces = {"c1": "a@0 b@1 c@2", "c2": "a@0 x@4(ann) b@5 c@6", "c3": "a@0 c@2", "c4": "a@0 b@1-"}
    with EventStore(tmp_path / "store").write() as writer:
        writer.append(events_of(traces), source="s", process="p")
    (tmp_path / "abc.bpmn").write_text(to_bpmn(model_of(sequence("a", "b", "c"))))
    return tmp_path


def test_conform_answers_one_object_with_the_keys_that_scripts_rely_on(folder: Path) -> None:
    found = answer(folder, "conform", "p", "--model", str(folder / "abc.bpmn"))
    assert found.keys() >= KEYS
    assert (found["cases"], found["conforming_cases"], found["total_cost"]) == (3, 1, 2)
    assert found["conformance_rate"] == pytest.approx(1 / 3)
    assert found["fitness"] == pytest.approx(1 - (1 / 7 + 1 / 5) / 3)
    assert found["open_cases"] == 1 and found["unaligned_cases"] == 0
    assert [(each["activity"], each["kind"]) for each in found["deviations"]] == [
        ("b", "skipped"),
        ("x", "extra"),
    ]
    assert found["deviations"][1].keys() == {
        "activity",
        "kind",
        "cases",
        "events",
        "median_added_seconds",
    }
    assert found["deviations"][1]["median_added_seconds"] == 240


def test_below_the_gate_the_exit_code_is_1(folder: Path) -> None:
    model = str(folder / "abc.bpmn")
    assert run(folder, "conform", "p", "--model", model, "--fail-below", "0.5").exit_code == 0
    below = run(folder, "conform", "p", "--model", model, "--fail-below", "0.99")
    assert below.exit_code == 1
    assert json.loads(below.stdout)["cases"] == 3
    assert "Fitness 0.8857 is below 0.99." in below.stderr


def test_a_gate_over_no_case_at_all_is_not_passed(folder: Path) -> None:
    model = str(folder / "abc.bpmn")
    none = run(folder, "conform", "p", "--model", model, "--status", "failed", "--fail-below", "0")
    assert none.exit_code == 1


def test_one_case_is_shown_move_by_move(folder: Path) -> None:
    model = str(folder / "abc.bpmn")
    extra = answer(folder, "conform", "p", "--model", model, "--case", "c2")
    assert [(move["move"], move["activity"]) for move in extra["moves"]] == [
        ("both", "a"),
        ("log", "x"),
        ("both", "b"),
        ("both", "c"),
    ]
    assert extra["moves"][1]["resource"] == "ann"
    assert extra["moves"][1]["sentence"].startswith("x was done though it should not have been")
    skipped = answer(folder, "conform", "p", "--model", model, "--case", "c3")
    assert [(move["move"], move["sentence"]) for move in skipped["moves"]] == [
        ("both", None),
        ("model", "b was not done after a."),
        ("both", None),
    ]


@pytest.mark.parametrize(("case", "said"), [("c4", "still runs"), ("c9", "There is no case 'c9'")])
def test_a_case_that_cannot_be_judged_is_refused(folder: Path, case: str, said: str) -> None:
    model = str(folder / "abc.bpmn")
    refused = run(folder, "conform", "p", "--model", model, "--case", case)
    assert refused.exit_code == 2 and said in refused.stderr


def test_a_model_is_added_and_cases_are_held_against_it(folder: Path) -> None:
    refused = run(folder, "conform", "p")
    assert refused.exit_code == 2 and "No modelled workflow of 'p' is known" in refused.stderr
    added = answer(folder, "model", "add", "p", str(folder / "abc.bpmn"))
    assert (added["new"], added["activities"], added["sound"]) == (True, 3, True)
    assert answer(folder, "model", "add", "p", str(folder / "abc.bpmn"))["new"] is False
    assert len(answer(folder, "models", "p")) == 1
    assert answer(folder, "conform", "p")["total_cost"] == 2
    rows = answer(folder, "conform", "p", "--by-version")
    assert [(row["activity"], row["kind"]) for row in rows] == [("b", "skipped"), ("x", "extra")]
    assert [row["cases"] for row in answer(folder, "conform", "p", "--by-week")] == [3]


def test_a_file_that_is_no_model_is_refused(folder: Path) -> None:
    (folder / "no.bpmn").write_text("not a model")
    refused = run(folder, "model", "add", "p", str(folder / "no.bpmn"))
    assert refused.exit_code == 2 and "Traceback" not in refused.stderr
    assert answer(folder, "models", "p") == []
    assert run(folder, "conform", "p", "--model", str(folder / "gone.bpmn")).exit_code == 2


def test_names_are_listed_with_a_suggestion_and_confirmed(folder: Path) -> None:
    (folder / "named.bpmn").write_text(to_bpmn(model_of(sequence("a", "b", "See (c)"))))
    run(folder, "model", "add", "p", str(folder / "named.bpmn"))
    before = {row["label"]: row["activity"] for row in answer(folder, "model", "names", "p")}
    assert before == {"a": "a", "b": "b", "See (c)": None}
    answer(folder, "model", "name", "p", "See (c)", "c")
    assert answer(folder, "conform", "p")["total_cost"] == 2


def test_deviations_are_listed_with_a_sentence(folder: Path) -> None:
    model = str(folder / "abc.bpmn")
    rows = answer(folder, "deviations", "p", "--model", model)
    assert [(row["case_id"], row["kind"], row["activity"]) for row in rows] == [
        ("c2", "extra", "x"),
        ("c3", "skipped", "b"),
    ]
    assert all(row["sentence"] for row in rows)
    one = answer(folder, "deviations", "p", "--model", model, "--kind", "skipped")
    assert [row["case_id"] for row in one] == ["c3"]


def test_a_deviation_is_allowed_until_it_is_withdrawn(folder: Path) -> None:
    run(folder, "model", "add", "p", str(folder / "abc.bpmn"))
    words = ("--reason", "audited", "--owner", "ann", "--approver", "ben", "--until", "2999-01-01")
    given = answer(folder, "allow", "p", "--kind", "extra", "--of", "x", *words)
    found = answer(folder, "conform", "p")
    assert (found["conforming_cases"], found["accepted_cases"]) == (1, 2)
    (row,) = answer(folder, "allowances", "p")
    assert (row["activity"], row["in_force"]) == ("x", True)
    answer(folder, "withdraw", "p", str(given["allowance_id"]), "--reason", "over")
    assert answer(folder, "conform", "p")["accepted_cases"] == 1


def test_a_contract_gates_on_fitness_against_the_modelled_workflow(folder: Path) -> None:
    (folder / "contract.yaml").write_text(
        "process: p\nat_least_cases: 1\nbudgets: {fitness_at_least: 0.99}\n"
    )
    unmodelled = run(folder, "check", str(folder / "contract.yaml"))
    assert unmodelled.exit_code == 2 and "No modelled workflow" in unmodelled.stderr
    run(folder, "model", "add", "p", str(folder / "abc.bpmn"))
    broken = run(folder, "check", str(folder / "contract.yaml"))
    assert broken.exit_code == 1
    (found,) = json.loads(broken.stdout)["checks"]
    assert found["value"] == pytest.approx(1 - (1 / 7 + 1 / 5) / 3)
