"""The page on conformance in its states."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from miner import EventStore, LogFilter
from miner.conformance.allowances import Allowance, allow, allowances
from miner.conformance.held import hold
from miner.conformance.workflows import own_versions
from miner.eventlog import audit
from miner.eventlog.definitions import Definition
from tests.dashboards.conftest import HOSTILE, store_of, words
from tests.logs import events_of

Visit = Callable[..., Any]

TRACES = {
    **{f"o{n:02}": "Create@0-1(ann) Check@5-9(bob) Pay@12-13(bank)" for n in range(8)},
    "skip": "Create@0-1(ann) Pay@12-13(bank)",
    "more": "Create@0-1(ann) Check@5-9(bob) Call@10-11(eve) Pay@12-13(bank)",
    "open": "Create@0-1(ann) Check@30-(bob)",
}
MODEL = "->( 'Create', 'Check', 'Pay' )"
ENDLESS = """<?xml version="1.0"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" id="d">
  <process id="p"><startEvent id="s"/><task id="Create" name="Create"/>
  <exclusiveGateway id="split"/><task id="Check" name="Check"/><task id="Pay" name="Pay"/>
  <parallelGateway id="join"/><endEvent id="e"/>
  <sequenceFlow id="1" sourceRef="s" targetRef="Create"/>
  <sequenceFlow id="2" sourceRef="Create" targetRef="split"/>
  <sequenceFlow id="3" sourceRef="split" targetRef="Check"/>
  <sequenceFlow id="4" sourceRef="split" targetRef="Pay"/>
  <sequenceFlow id="5" sourceRef="Check" targetRef="join"/>
  <sequenceFlow id="6" sourceRef="Pay" targetRef="join"/>
  <sequenceFlow id="7" sourceRef="join" targetRef="e"/>
  </process>
</definitions>
"""


def modelled(folder: Path, process: str = "orders", text: str = MODEL, **names: str) -> Path:
    """A store with a process and its model; `names` replace activities."""
    events = events_of(TRACES)
    if names:
        events = events.with_columns(activity=events["activity"].replace(names))
    store_of(folder, {process: events})
    form = "bpmn" if text.startswith("<") else "process-tree"
    with EventStore(folder).write() as writer:
        writer.define([Definition(process, None, form, text)], source="file", process=process)
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return modelled(tmp_path_factory.mktemp("modelled"))


def show(visit: Visit, store: Path, tab: str = "Model", **more: str) -> Any:
    found = visit(store, "conformance", process="orders", **{"conformance as": tab}, **more)
    assert not found.exception
    return found


def test_figures_say_how_many_cases_they_count_and_why_others_are_left_out(
    store: Path, visit: Visit
) -> None:
    shown = words(show(visit, store))
    assert "Conforming 80 %" in shown
    assert "With the allow-list 80 %" in shown
    assert "Fitness 0.966" in shown  # (8 + 4/5 + 6/7) / 10
    assert "**10** judged cases, all closed · not judged: 1 case still open" in shown


def test_every_part_of_the_page_opens(store: Path, visit: Visit) -> None:
    for tab, text in {
        "Over time": "Per version",
        "Deviations": "2 deviations, in the order of cases",
        "Impact and causes": "What goes with deviating",
        "Rules": "precedence",
        "Allow-list": "No deviation is accepted",
        "Evidence": "Without rules",
    }.items():
        app = show(visit, store, tab)
        assert not app.error
        assert text in words(app), tab


def test_a_case_is_shown_beside_the_model_with_a_sentence_for_each_deviation(
    store: Path, visit: Visit
) -> None:
    shown = words(show(visit, store, "Deviations", case="skip"))
    assert "Check was not done after Create" in shown.replace("\\", "")
    app = show(visit, store, "Deviations", case="open")
    assert "still runs" in app.error[0].value


def test_deviations_are_found_by_kind(store: Path, visit: Visit) -> None:
    app = show(visit, store, "Deviations")
    app.selectbox(key="deviation kind").set_value("extra").run()
    assert "1 deviation, in the order of cases" in words(app)
    app.selectbox(key="deviation activity").set_value("Check").run()
    assert "No deviation meets this choice." in words(app)


def test_a_process_without_a_model_says_how_to_add_one(orders: Path, visit: Visit) -> None:
    app = visit(orders, "conformance", process="orders")
    assert not app.exception
    assert "No modelled workflow of orders is known" in words(app)
    assert "procession model add orders FILE.bpmn" in words(app)


def test_a_model_of_a_visitor_is_used_and_not_kept(orders: Path, visit: Visit) -> None:
    app = visit(orders, "conformance", process="orders")
    app.file_uploader(key="model file").set_value(("mine.tree", MODEL.encode(), "text/plain"))
    app.run()
    assert not app.exception
    assert "**12** judged cases" in words(app)
    app.file_uploader(key="model file").set_value(("mine.bpmn", b"<definitions/>", "text/xml"))
    app.run()
    assert (
        app.error[0].value.replace("\\", "").startswith("mine.bpmn: The document is not BPMN 2.0")
    )
    assert "No modelled workflow" in words(visit(orders, "conformance", process="orders"))


def test_a_model_that_cannot_end_is_one_sentence(tmp_path: Path, visit: Visit) -> None:
    app = show(visit, modelled(tmp_path, text=ENDLESS))
    assert "cannot come to its end" in app.error[0].value
    assert not app.metric


def test_what_is_accepted_counts_on_the_second_card_until_it_is_withdrawn(
    tmp_path: Path, visit: Visit
) -> None:
    folder = modelled(tmp_path)
    app = show(visit, folder, "Allow-list")
    app.selectbox(key="allow kind").set_value("skipped")
    app.text_area(key="allow reason").set_value("Small orders need no check")
    app.text_input(key="allow owner").set_value("Ann")
    app.text_input(key="allow approver").set_value("ann")
    app.button(key="allow accept").click().run()
    assert "cannot approve an allowance of their own" in app.error[0].value.replace("\\", "")
    app.text_input(key="allow approver").set_value("Bob")
    app.button(key="allow accept").click().run()
    assert not app.exception
    assert "Conforming 80 %\nWith the allow-list 90 %" in words(app)
    (listed,) = allowances(EventStore(folder).log("orders")).iter_rows(named=True)
    assert (listed["owner"], listed["approver"], listed["kind"]) == ("Ann", "Bob", "skipped")
    app.text_area(key="withdrawn why").set_value("The law changed")
    app.button(key="withdraw it").click().run()
    assert "With the allow-list 80 %" in words(app)
    assert '"withdraw"' in (folder / audit.FILE).read_text("utf-8")


def test_while_events_are_loaded_the_page_answers_and_keeps_nothing(
    tmp_path: Path, visit: Visit
) -> None:
    folder = modelled(tmp_path)
    with EventStore(folder).lock():
        shown = words(show(visit, folder))
    assert "Conforming 80 %" in shown
    assert "what was computed here is not kept" in shown


def test_what_was_aligned_is_kept_for_the_next_visitor(tmp_path: Path, visit: Visit) -> None:
    folder = modelled(tmp_path)
    show(visit, folder)
    log = EventStore(folder).log("orders")
    assert hold(log, own_versions(log)).new_alignments == 0


def test_a_filter_that_leaves_only_open_cases_judges_none(store: Path, visit: Visit) -> None:
    shown = words(show(visit, store, f=LogFilter.of("case open").to_json()))
    assert "No case could be judged: 1 case still open." in shown


@pytest.mark.parametrize("tab", ["Model", "Deviations"])
def test_names_that_try_something_stay_names(tab: str, tmp_path: Path, visit: Visit) -> None:
    folder = modelled(tmp_path, Create=HOSTILE[1], Check="x" * 3_000, Call=HOSTILE[0])
    expires = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=9)
    allow(EventStore(folder), "orders", Allowance(None, HOSTILE[0], HOSTILE[1], "a", "b", expires))
    app = show(visit, folder, tab)
    assert not app.error
    assert "<script>" not in words(app)
    assert "**bold**" not in words(app)


def test_a_rules_file_shows_what_breaks_each_rule(store: Path, visit: Visit) -> None:
    app = show(visit, store, "Rules")
    rules = b"rules:\n- {name: check first, template: precedence, first: Check, then: Pay}\n"
    app.file_uploader(key="rules file").set_value(("rules.yaml", rules, "text/yaml"))
    app.run()
    assert not app.exception
    (frame,) = (each.value for each in app.dataframe if "What it asks" in each.value.columns)
    assert frame["Breaking it"].to_list() == [1]
    app.file_uploader(key="rules file").set_value(("rules.yaml", b"rules: [{}]", "text/yaml"))
    app.run()
    assert not app.exception
    assert app.error


def test_an_evidence_pack_is_made_and_handed_out(tmp_path: Path, visit: Visit) -> None:
    app = show(visit, modelled(tmp_path), "Evidence")
    (make,) = [each for each in app.button if each.label == "Make the evidence pack"]
    make.click().run()
    assert not app.exception
    assert "Keep this root" in words(app)
    assert "Evidence pack · ZIP" in {each.label for each in app.get("download_button")}
