from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

import pytest

from miner.errors import UnknownNameError
from miner.model import bpmn_states
from miner.model.bpmn import bpmn_lanes
from miner.model.bpmn_net import read_bpmn
from miner.model.soundness import soundness
from tests.model.bpmn_texts import (
    body,
    definitions,
    document,
    event,
    language,
    sub,
    translated,
    words,
)
from tests.model.fitting import misfit
from tests.model.languages import of_automaton


def test_any_start_event_begins_a_case() -> None:
    assert language("start1 > A > x1 > end", "start2 > B > x1") == {"A", "B"}


def test_without_start_events_all_that_nothing_leads_to_starts() -> None:
    found = translated("A > p1 > end", "B > p1")
    assert words(of_automaton(found.model, 3)) == {"A B", "B A"}
    assert "no start event" in found.remarks[0].text


def test_what_cannot_be_reached_is_named() -> None:
    found = translated('<task id="L" name="Lost"/>', "start > A > end", "x1 > L > x1")
    assert words(of_automaton(found.model, 3)) == {"A"}
    assert "'Lost' cannot be reached" in " ".join(remark.text for remark in found.remarks)


def test_the_executable_pool_is_read_unless_another_is_named() -> None:
    drawn = f'<process id="Q" name="Customer">{body("startq > A > endq")}</process>'
    run = f'<process id="P" isExecutable="true">{body("start > B > end")}</process>'
    text = definitions(drawn + run)
    found = read_bpmn(text)
    assert words(of_automaton(found.model, 3)) == {"B"}
    assert ["'Customer'" in remark.text for remark in found.remarks] == [True]
    assert words(of_automaton(read_bpmn(text, process="Customer").model, 3)) == {"A"}
    with pytest.raises(UnknownNameError, match="Seller"):
        read_bpmn(text, process="Seller")


def test_the_pool_with_the_id_of_the_process_is_read_before_others() -> None:
    pools = (("P", "start > A > end"), ("Q", "startq > B > endq"))
    text = definitions(
        "".join(f'<process id="{name}" isExecutable="true">{body(way)}</process>' for name, way in
                pools)
    )  # fmt: skip
    for name, expected in (("P", "A"), ("Q", "B"), ("model", "A")):
        assert words(of_automaton(read_bpmn(text, name=name).model, 3)) == {expected}


def test_only_events_that_the_log_tells_of_leave_an_event() -> None:
    late = event("boundaryEvent", "late", "timer", attachedToRef="A", name="Late")
    broken = event("endEvent", "broken", "error:E")
    parts = (late, broken, '<startEvent id="start" name="Begun"/>', "start > A > end", "late > x1",
             "x1 > end2", "x1 > broken")  # fmt: skip

    def known(label: str, element_id: str) -> Literal["id", "name"] | None:
        return {"Late": "name", "end": "id"}.get(label)  # type: ignore[return-value]

    # One end is known by its id, so the other is as well, but not the one with another trigger.
    found = read_bpmn(document(*parts), events=known)
    assert words(of_automaton(found.model, 4)) == {
        "A end", "Late end2", "A Late end2", "Late", "A Late"
    }  # fmt: skip


def test_a_call_that_the_log_tells_of_is_one_activity() -> None:
    call = '<callActivity id="K" name="Do it" calledElement="Q"/>'
    other = f'<process id="Q">{body("startq > A > endq")}</process>'
    text = definitions(f'<process id="P">{body(call, "start > K > end")}</process>{other}')
    known = read_bpmn(text, events=lambda _, element_id: "id" if element_id == "K" else None)
    assert words(of_automaton(known.model, 3)) == {"Do it"}
    unknown = read_bpmn(text, events=lambda _, element_id: "id" if element_id == "A" else None)
    assert words(of_automaton(unknown.model, 3)) == {"A"}


def test_lanes_are_known_by_element() -> None:
    inner = '<lane id="L2" name="Clerk"><flowNodeRef>A</flowNodeRef></lane>'
    inner = f"<childLaneSet>{inner}</childLaneSet>"
    lanes = (
        f'<laneSet><lane id="L1" name="Office"><flowNodeRef>A</flowNodeRef>'
        f"<flowNodeRef>B</flowNodeRef>{inner}</lane></laneSet>"
    )
    assert bpmn_lanes(document(lanes, "start > A > B > end")) == {"A": "Clerk", "B": "Office"}


def test_extensions_of_engines_change_nothing_and_unknown_ones_are_named() -> None:
    known = "<extensionElements><x:properties/></extensionElements>"
    known = f'<task id="A" x:asyncBefore="true">{known}</task>'
    strange = '<extensionElements><y:jump xmlns:y="http://strange.example"/></extensionElements>'
    assert translated(known, "start > A > end").remarks == ()
    found = translated(f'<task id="A">{strange}</task>', "start > A > end")
    assert [(r.element_id, r.element) for r in found.remarks] == [("A", "jump")]


def test_every_labelled_transition_leads_back_to_its_element() -> None:
    text = document('<task id="t1" name="Pay"/>', "start > t1 > end")
    (transition,) = read_bpmn(text, name="m", version="7").model.net.transitions
    assert (transition.label, transition.element_id) == ("Pay", "t1")


def test_the_same_document_gives_the_same_net() -> None:
    late = event("boundaryEvent", "late", "timer", attachedToRef="S")
    inner = sub("S", "starti > p3 > A > p4 > endi", "p3 > B > p4")
    text = document(inner, late, "start > S > end", "late > C > end2")
    assert read_bpmn(text).model == read_bpmn(text).model


def test_a_part_with_too_many_states_allows_more_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bpmn_states, "MOST_STATES", 10)
    ways = [f"p1 > A{n} > p2" for n in range(4)]
    stop = event("endEvent", "stop", "terminate")
    found = translated(stop, "start > p1", "p2 > end", "p1 > x1 > stop", *ways)
    assert [r for r in found.remarks if "states" in r.text]
    whole = [f"A{n}" for n in range(4)]
    assert misfit(found.model, whole) is None
    assert misfit(found.model, whole[:2]) is None


def test_ten_thousand_elements_are_read_in_a_few_seconds() -> None:
    paths = []
    for number in range(1500):
        end = f"x{number}b"
        paths += [
            f"x{number}a > T{number} > {end} > x{number + 1}a",
            f"x{number}a > U{number} > {end}",
        ]
    kinds = "".join(f'<exclusiveGateway id="x{n}{side}"/>' for n in range(1501) for side in "ab")
    text = document(kinds, "start > x0a", "x1500a > end", *paths)
    assert text.count("id=") > 10_000
    began = time.perf_counter()
    net = read_bpmn(text).model.net
    assert time.perf_counter() - began < 15
    assert len(net.labels()) == 3000
    assert soundness(net).sound


def test_real_models_are_sound(shared_logs: Path) -> None:
    folders = shared_logs / "conformance", shared_logs / "histories" / "camunda7" / "models"
    found = [path for folder in folders for path in sorted(folder.glob("*.bpmn"))]
    assert len(found) >= 7
    for path in found:
        model = read_bpmn(path.read_text(encoding="utf-8")).model
        assert soundness(model.net).sound, path
