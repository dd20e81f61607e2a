"""Which model each case is held against, and what its names mean."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from miner.conformance.conform import conformance
from miner.conformance.held import hold
from miner.conformance.over_time import deviation_matrix
from miner.conformance.workflows import confirm_name, of_version, own_versions
from miner.errors import InputError, ModelError, UnknownNameError
from miner.eventlog.definitions import Definition
from miner.eventlog.store import EventStore
from miner.model.bpmn_writer import to_bpmn
from tests.conformance.models import model_of, sequence
from tests.logs import START, events_of

ONE, TWO = sequence("a", "b"), sequence("a", "b", "c")


def store_of(
    folder: Path, traces: dict[str, tuple[str, str | None]], definitions: list[Definition]
) -> EventStore:
    """A store of cases with the version each ran on."""
    events = events_of({case: trace for case, (trace, _) in traces.items()})
    versions = {case: version for case, (_, version) in traces.items()}
    column = pl.col("case_id").replace_strict(versions, return_dtype=pl.String())
    store = EventStore(folder / "store")
    with store.write() as writer:
        writer.append(events.with_columns(process_version=column), source="s", process="p")
        writer.define(definitions, source="s", process="p")
    return store


def definition(
    tree: object, version: str | None = None, valid_from: datetime | None = None
) -> Definition:
    return Definition("p", version, "bpmn", to_bpmn(model_of(tree)), valid_from)  # type: ignore[arg-type]


def test_each_case_is_held_against_the_version_it_ran_on(tmp_path: Path) -> None:
    traces = {
        "old": ("a@0 b@1", "1"),
        "new": ("a@0 b@1 c@2", "2"),
        "ahead": ("a@0 b@1 c@2", "1"),
        "behind": ("a@0 b@1", "2"),
    }
    store = store_of(tmp_path, traces, [definition(ONE, "1"), definition(TWO, "2")])
    log = store.log("p")
    held = hold(log, own_versions(log))
    found = conformance(held)
    assert (found.model, found.version) == (None, None)
    assert (found.cases, found.conforming_cases, found.total_cost) == (4, 2, 2)
    assert deviation_matrix(held).select("version", "activity", "kind", "cases").rows() == [
        ("1", "c", "extra", 1),
        ("2", "c", "skipped", 1),
    ]


def test_on_request_all_cases_are_held_against_the_newest_version(tmp_path: Path) -> None:
    traces = {"old": ("a@0 b@1", "9"), "new": ("a@0 b@1 c@2", "10")}
    store = store_of(tmp_path, traces, [definition(ONE, "9"), definition(TWO, "10")])
    log = store.log("p")
    newest = conformance(hold(log, of_version(log, None)))
    assert (newest.version, newest.cases, newest.conforming_cases) == ("10", 2, 1)
    named = conformance(hold(log, of_version(log, "9")))
    assert (named.version, named.cases, named.conforming_cases) == ("9", 2, 1)
    with pytest.raises(UnknownNameError, match="There is no version named '11'"):
        of_version(log, "11")


def test_a_case_of_a_version_that_nobody_defined_is_not_judged(tmp_path: Path) -> None:
    traces = {"known": ("a@0 b@1", "1"), "lost": ("x@0", "0")}
    store = store_of(tmp_path, traces, [definition(ONE, "1")])
    log = store.log("p")
    found = conformance(hold(log, own_versions(log)))
    assert (found.cases, found.conforming_cases, found.unmodelled_cases) == (1, 1, 1)


def test_without_versions_a_case_is_held_against_what_was_valid_when_it_began(
    tmp_path: Path,
) -> None:
    change = START + timedelta(minutes=100)
    traces: dict[str, tuple[str, str | None]] = {
        "before": ("a@0 b@200", None),
        "after": ("a@100 b@101 c@102", None),
        "late": ("a@150 b@151", None),
    }
    models = [definition(ONE, None, START), definition(TWO, None, change)]
    store = store_of(tmp_path, traces, models)
    log = store.log("p")
    held = hold(log, own_versions(log))
    assert (conformance(held).conforming_cases, conformance(held).total_cost) == (2, 1)


def test_a_case_that_does_not_know_its_version_is_held_against_the_one_that_was_valid(
    tmp_path: Path,
) -> None:
    change = START + timedelta(minutes=100)
    traces: dict[str, tuple[str, str | None]] = {
        "before": ("a@0 b@200", None),
        "after": ("a@100 b@101 c@102", None),
        "lost": ("a@100 b@101 c@102", "7"),
    }
    store = store_of(tmp_path, traces, [definition(ONE, "1"), definition(TWO, "2", change)])
    log = store.log("p")
    found = conformance(hold(log, own_versions(log)))
    assert (found.cases, found.conforming_cases, found.unmodelled_cases) == (2, 2, 1)


def test_versions_with_the_same_net_are_one_model_and_count_cases_once(tmp_path: Path) -> None:
    traces = {"c1": ("a@0 b@1", "1"), "c2": ("a@0", "2"), "c3": ("a@0 b@1", None)}
    same = [definition(ONE, "1"), definition(ONE, "2"), definition(ONE)]
    log = store_of(tmp_path, traces, same).log("p")
    found = conformance(hold(log, own_versions(log)))
    assert (found.cases, found.conforming_cases, found.total_cost) == (3, 2, 1)
    assert (found.accepted_cases, found.precision) == (2, 1.0)


def test_of_several_models_without_version_and_time_the_last_one_counts(tmp_path: Path) -> None:
    store = store_of(tmp_path, {"c": ("a@0 b@1", None)}, [definition(ONE), definition(TWO)])
    log = store.log("p")
    found = conformance(hold(log, own_versions(log)))
    assert (found.cases, found.total_cost) == (1, 1)


def test_a_process_without_a_model_says_how_to_add_one(tmp_path: Path) -> None:
    store = store_of(tmp_path, {"c": ("a@0", None)}, [])
    with pytest.raises(InputError, match="No modelled workflow of 'p' is known") as refused:
        own_versions(store.log("p"))
    assert "procession model add" in refused.value.hint


def test_a_definition_that_is_no_model_is_said_and_its_cases_are_not_judged(
    tmp_path: Path,
) -> None:
    broken = Definition("p", "2", "bpmn", "<definitions/>")
    traces = {"one": ("a@0 b@1", "1"), "two": ("a@0 b@1", "2")}
    store = store_of(tmp_path, traces, [definition(ONE, "1"), broken])
    log = store.log("p")
    found = conformance(hold(log, own_versions(log)))
    assert (found.cases, found.unmodelled_cases) == (1, 1)
    assert any("Version 2" in note for note in found.notes)
    with pytest.raises(ModelError):
        own_versions(store_of(tmp_path / "b", {"c": ("a@0", "2")}, [broken]).log("p"))


def test_names_that_differ_are_said_and_never_matched_silently(tmp_path: Path) -> None:
    traces = {"c": ("Check-order@0 b@1", "1")}
    model = definition(sequence("Check order", "b"), "1")
    store = store_of(tmp_path, traces, [model])
    log = store.log("p")
    (workflow,) = own_versions(log).workflows
    assert workflow.unmatched == ("Check order",)
    assert workflow.names.rows() == [
        ("Check order", None, None, "Check-order"),
        ("b", "b", "name", None),
    ]
    found = conformance(hold(log, own_versions(log)))
    assert found.total_cost == 2
    assert any("'Check order'" in note for note in found.notes)


def test_a_name_means_what_a_person_confirmed(tmp_path: Path) -> None:
    traces = {"c": ("Check-order@0 b@1", "1")}
    store = store_of(tmp_path, traces, [definition(sequence("Check order", "b"), "1")])
    with pytest.raises(UnknownNameError):
        confirm_name(store, "p", "Check order", "Check-oder")
    confirm_name(store, "p", "Check order", "b")
    confirm_name(store, "p", "Check order", "Check-order")
    log = store.log("p")
    (workflow,) = own_versions(log).workflows
    assert workflow.unmatched == ()
    assert conformance(hold(log, own_versions(log))).conforming_cases == 1
    assert (store.folder / "audit.jsonl").read_text().count('"action": "name"') == 2


def test_a_name_is_matched_by_the_id_of_its_activity(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "store")
    model = model_of(sequence("Check order", "b"))
    element = next(t.id for t in model.net.transitions if t.label == "Check order")
    text = to_bpmn(model)
    from miner.model.reading import read_model

    read = read_model(text, "bpmn").model
    element = next(str(t.element_id) for t in read.net.transitions if t.label == "Check order")
    events = events_of({"c": "check_v2@0 b@1"}).with_columns(
        activity_id=pl.when(pl.col("activity") == "check_v2").then(pl.lit(element))
    )
    with store.write() as writer:
        writer.append(events, source="s", process="p")
        writer.define([Definition("p", None, "bpmn", text)], source="s", process="p")
    log = store.log("p")
    (workflow,) = own_versions(log).workflows
    assert workflow.names["matched_by"].to_list() == ["id", "name"]
    assert conformance(hold(log, own_versions(log))).conforming_cases == 1


_BPMN = """<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"><process id="p">
<startEvent id="start" name="Begun"/><sequenceFlow id="f1" sourceRef="start" targetRef="a"/>
<task id="a" name="A"/><sequenceFlow id="f2" sourceRef="a" targetRef="end"/>
<endEvent id="end" name="A"/></process></definitions>"""


@pytest.mark.parametrize(
    ("trace", "ids", "expected"),
    [
        ("A@1", {"A": "a"}, []),
        ("Begun@0 A@1", {}, []),
        ("Started@0 A@1", {"Started": "start", "A": "a"}, []),
        ("A@1 Begun@2", {"A": "a", "Begun": "start"}, [("A", "swapped")]),
        ("A@1 Begun@2", {"A": "a", "Begun": "other"}, [("Begun", "extra")]),
    ],
)
def test_events_of_bpmn_are_expected_where_the_log_tells_of_them(
    trace: str, ids: dict[str, str], expected: list[tuple[str, str]], tmp_path: Path
) -> None:
    events = events_of({"c": trace}).with_columns(
        activity_id=pl.col("activity").replace_strict(ids, default=None, return_dtype=pl.String())
    )
    store = EventStore(tmp_path / "store")
    with store.write() as writer:
        writer.append(events, source="s", process="p")
        writer.define([Definition("p", None, "bpmn", _BPMN)], source="s", process="p")
    held = hold(store.log("p"), own_versions(store.log("p")))
    assert deviation_matrix(held).select("activity", "kind").rows() == expected
