from __future__ import annotations

import re

import pytest
from hypothesis import given, settings

from miner.discovery.automaton import Automaton
from miner.errors import ModelError
from miner.model import bpmn_builder
from miner.model.bpmn_net import read_bpmn
from miner.model.bpmn_writer import to_bpmn
from miner.model.process_model import model_of_net, model_of_tree
from miner.model.process_tree import Operator, ProcessTree
from miner.model.soundness import soundness
from miner.model.tree_net import net_of_tree
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
from tests.model.languages import by_definition, of_automaton, trees


@settings(max_examples=150, deadline=None)
@given(trees())
def test_a_tree_written_as_bpmn_is_read_back_with_the_same_language(found: ProcessTree) -> None:
    read = read_bpmn(to_bpmn(model_of_tree("random", found))).model
    assert of_automaton(read, 4) == by_definition(found, 4)
    assert soundness(read.net).sound


EXACT = tuple(operator for operator in Operator if operator is not Operator.INCLUSIVE)


@settings(max_examples=80, deadline=None)
@given(trees(operators=EXACT))
def test_a_net_written_as_bpmn_is_read_back_with_the_same_language(found: ProcessTree) -> None:
    read = read_bpmn(to_bpmn(model_of_net("random", net_of_tree(found)))).model
    assert of_automaton(read, 4) == by_definition(found, 4)


@settings(max_examples=80, deadline=None)
@given(trees(leaves=5))
def test_inclusive_joins_are_exact_without_a_look_at_the_structure(found: ProcessTree) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bpmn_builder, "blocks", lambda _: [])
        read = read_bpmn(to_bpmn(model_of_tree("random", found))).model
    assert of_automaton(read, 4) == by_definition(found, 4)


@settings(max_examples=80, deadline=None)
@given(trees(leaves=5))
def test_whatever_a_sub_process_holds_is_interrupted_after_any_beginning(
    found: ProcessTree,
) -> None:
    whole = to_bpmn(model_of_tree("random", found)).replace("bpmn:", "")
    inside = re.sub(r"</?process[^>]*>", "", re.findall(r"<process.*</process>", whole, re.S)[0])
    held = f'<subProcess id="S">{inside}</subProcess>'
    late = event("boundaryEvent", "late", "timer", attachedToRef="S")
    read = translated(held, late, "start > S > end", "late > Z > end2").model
    stopped = {(*trace, "Z") for trace in beginnings(found, 3)}
    assert of_automaton(read, 4) == by_definition(found, 4) | stopped


def beginnings(found: ProcessTree, longest: int) -> set[tuple[str, ...]]:
    """What can have happened of a tree before it is over."""
    automaton = Automaton(model_of_tree("random", found))
    waiting: list[tuple[tuple[str, ...], int]] = [((), 0)]
    for trace, state in waiting:
        if len(trace) < longest:
            waiting += [((*trace, name), to) for name, to in automaton.moves(state).items()]
    return {trace for trace, _ in waiting}


def test_calls_that_multiply_are_refused() -> None:
    calls = ""
    for number in range(40):
        ways = (f"s{number} > K{number} > L{number} > z{number}",)
        kinds = "".join(
            f'<callActivity id="{k}{number}" calledElement="Q{number + 1}"/>' for k in "KL"
        )
        ends = f'<startEvent id="s{number}"/><endEvent id="z{number}"/>'
        calls += f'<process id="Q{number}">{body(kinds, ends, *ways)}</process>'
    calls += f'<process id="Q40">{body("start > A > end")}</process>'
    with pytest.raises(ModelError, match="too many calls"):
        read_bpmn(definitions(calls), process="Q0")


def test_sub_processes_nested_very_deep_are_refused() -> None:
    inside = body("starti > A > endi")
    for number in range(100):
        start = f'<startEvent id="s{number}"/><endEvent id="z{number}"/>'
        held = f'<subProcess id="S{number}">{inside}</subProcess>'
        inside = (
            held
            + start
            + "".join(
                f'<sequenceFlow sourceRef="{a}{number}" targetRef="{b}{number}"/>'
                for a, b in ("sS", "Sz")
            )
        )
    with pytest.raises(ModelError, match="more than 40 others"):
        read_bpmn(definitions(f'<process id="P">{inside}</process>'))


def test_gateways_split_and_join() -> None:
    assert language("start > x1 > A > x2 > end", "x1 > B > x2") == {"A", "B"}
    assert language("start > p1 > A > p2 > end", "p1 > B > p2") == {"A B", "B A"}
    assert language("start > o1 > A > o2 > end", "o1 > B > o2") == {"A", "B", "A B", "B A"}
    assert language("start > e1 > A > x2 > end", "e1 > B > x2") == {"A", "B"}


def test_a_task_with_several_flows_starts_on_each_and_leaves_by_all() -> None:
    assert language("start > A > B > p1 > end", "A > C > p1") == {"A B C", "A C B"}
    assert language("start > x1 > A > C > end", "x1 > B > C") == {"A C", "B C"}


def test_conditional_flows_of_a_task_are_taken_or_not() -> None:
    condition = "<conditionExpression>x</conditionExpression>"
    flows = "".join(
        f'<sequenceFlow id="c{to}" sourceRef="A" targetRef="{to}">{condition}</sequenceFlow>'
        for to in "BC"
    )
    tasks = '<task id="B"/><task id="C"/><inclusiveGateway id="o1"/><task id="A"/>'
    found = translated(tasks + flows, "start > A", "B > o1 > end", "C > o1")
    assert words(of_automaton(found.model, 4)) == {"A B", "A C", "A B C", "A C B"}
    assert [remark.element for remark in found.remarks] == ["conditionExpression"]


def test_the_default_way_of_an_inclusive_gateway_is_taken_alone() -> None:
    split = '<inclusiveGateway id="o1" default="d"/><task id="C"/>'
    default = '<sequenceFlow id="d" sourceRef="o1" targetRef="C"/>'
    ways = ("start > o1 > A > o2 > end", "o1 > B > o2", "C > o2")
    assert language(split + default, *ways) == {"A", "B", "A B", "B A", "C"}


def test_an_inclusive_join_without_a_split_of_its_own_waits_for_what_may_come() -> None:
    ways = ("start > p1 > A > x1 > o1 > D > end", "x1 > C > x2 > p2", "p1 > B > o1")
    found = language(*ways[:1], "p1 > B > o1", "x1 > C > o1")
    assert found == {
        "A B D", "B A D", "A C B D", "A B C D", "B A C D",
    }  # fmt: skip


def test_several_ends_are_reached_by_all_that_runs() -> None:
    found = translated("start > p1 > A > end1", "p1 > B > end2", "B > end3")
    assert words(of_automaton(found.model, 4)) == {"A B", "B A"}
    assert soundness(found.model.net).sound


def test_a_terminating_end_stops_the_rest() -> None:
    stop = event("endEvent", "stop", "terminate")
    assert language(stop, "start > p1 > A > end", "p1 > B > C > stop") == {
        "B C", "A B C", "B A C", "B C A",
    }  # fmt: skip
    assert soundness(translated(stop, "start > A > stop", "start > B > end").model.net).sound


def test_a_boundary_event_interrupts_its_task_before_or_after_the_event_of_it() -> None:
    late = event("boundaryEvent", "late", "timer", attachedToRef="A")
    assert language(late, "start > A > B > end", "late > C > end2") == {"A B", "C", "A C"}


def test_a_timer_beside_a_task_fires_once() -> None:
    beside = event("boundaryEvent", "b", "timer", attachedToRef="A", cancelActivity="false")
    assert language(beside, "start > A > B > end", "b > R > end2") == {
        "A B", "R A B", "A R B", "A B R",
    }  # fmt: skip


def test_a_message_beside_a_task_may_come_again() -> None:
    beside = event("boundaryEvent", "b", "message", attachedToRef="A", cancelActivity="false")
    parts = (beside, "start > A > end", "b > R > end2")
    assert language(*parts, longest=3) == {"A", "R A", "A R", "R R A", "R A R"}
    assert [remark.element_id for remark in translated(*parts).remarks] == ["b"]


def test_a_sub_process_is_what_it_holds() -> None:
    inner = sub("S", "starti > A > endi")
    assert language(inner, "start > S > B > end") == {"A B"}


def test_a_sub_process_can_be_interrupted_anywhere() -> None:
    inner = sub("S", "starti > A > B > endi")
    late = event("boundaryEvent", "late", "timer", attachedToRef="S")
    assert language(inner, late, "start > S > D > end", "late > C > end2") == {
        "A B D", "C", "A C", "A B C",
    }  # fmt: skip


def test_all_that_runs_at_the_same_time_is_interrupted() -> None:
    inner = sub("S", "starti > p3 > A > p4 > endi", "p3 > B > p4")
    late = event("boundaryEvent", "late", "timer", attachedToRef="S")
    assert language(inner, late, "start > S > end", "late > C > end2") == {
        "A B", "B A", "C", "A C", "B C", "A B C", "B A C",
    }  # fmt: skip


def test_an_error_is_caught_by_the_nearest_event_that_knows_its_code() -> None:
    throwing = event("endEvent", "bad", "error:E1")
    inner = sub("S", throwing, "starti > A > x3 > endi", "x3 > bad")
    other = event("boundaryEvent", "other", "error:E2", attachedToRef="S")
    catching = event("boundaryEvent", "catching", "error:E1", attachedToRef="S")
    flows = ("start > S > B > end", "catching > C > end2")
    assert language(inner, catching, *flows) == {"A B", "A C"}
    both = language(inner, other, catching, *flows, "other > D > end3")
    assert both == {"A B", "A C", "D", "A D"}  # nothing drawn throws E2, so it may come any time


def test_an_error_that_nobody_catches_ends_the_case() -> None:
    throwing = event("endEvent", "bad", "error:E1")
    inner = sub("S", throwing, "starti > A > bad")
    flows = ("start > p1 > S > p2 > end", "p1 > B > p2")
    assert language(inner, *flows) == {"A", "B A", "A B"}  # B may have been on its way


def test_an_event_sub_process_takes_over() -> None:
    begin = event("startEvent", "starte", "message")
    handler = sub("H", begin, "starte > C > ende", triggeredByEvent="true")
    assert language(handler, "start > A > B > end") == {"A B", "C", "A C", "A B C"}


def test_an_event_sub_process_that_does_not_interrupt_runs_beside() -> None:
    begin = event("startEvent", "starte", "message", isInterrupting="false")
    handler = sub("H", begin, "starte > C > ende", triggeredByEvent="true")
    found = language(handler, "start > A > end", longest=2)
    assert found == {"A", "C A", "A C"}


def test_an_error_starts_the_event_sub_process_for_it() -> None:
    begin = event("startEvent", "starte", "error:E1")
    handler = sub("H", begin, "starte > C > ende", triggeredByEvent="true")
    bad = event("endEvent", "bad", "error:E1")
    assert language(handler, bad, "start > A > x1 > end", "x1 > bad") == {"A", "A C"}


def test_an_escalation_goes_on_when_it_does_not_interrupt() -> None:
    call = event("intermediateThrowEvent", "call", "escalation:X")
    inner = sub("S", call, "starti > A > call > B > endi")
    up = event("boundaryEvent", "up", "escalation:X", attachedToRef="S", cancelActivity="false")
    found = language(inner, up, "start > S > end", "up > C > end2")
    assert found == {"A B C", "A C B"}


def test_compensation_undoes_what_was_done() -> None:
    undo = event("boundaryEvent", "undo", "compensate", attachedToRef="A")
    handler = '<task id="U" isForCompensation="true"/><association sourceRef="undo" targetRef="U"/>'
    throw = event("intermediateThrowEvent", "back", "compensate")
    parts = (undo, handler, throw, "start > x1 > A > x2 > back > end", "x1 > B > x2")
    assert language(*parts) == {"A U", "B"}


def test_a_cancelled_transaction_is_undone_and_left() -> None:
    undo = event("boundaryEvent", "undo", "compensate", attachedToRef="A")
    handler = '<task id="U" isForCompensation="true"/><association sourceRef="undo" targetRef="U"/>'
    cancel = event("endEvent", "cancel", "cancel")
    inside = (undo, handler, cancel, "starti > A > x3 > endi", "x3 > cancel")
    inner = sub("S", *inside, kind="transaction")
    left = event("boundaryEvent", "left", "cancel", attachedToRef="S")
    found = read_bpmn(document(inner, left, "start > S > B > end", "left > C > end2"))
    assert words(of_automaton(found.model, 5)) == {"A B", "A U C"}


@pytest.mark.parametrize(
    ("marker", "expected"),
    [
        ("<standardLoopCharacteristics/>", {"A", "A A", "A A A"}),
        ('<standardLoopCharacteristics testBefore="true"/>', {"", "A", "A A", "A A A"}),
        ('<multiInstanceLoopCharacteristics isSequential="true"/>', {"", "A", "A A", "A A A"}),
        (
            "<multiInstanceLoopCharacteristics><loopCardinality>3</loopCardinality>"
            "</multiInstanceLoopCharacteristics>",
            {"A", "A A", "A A A"},
        ),
    ],
)
def test_markers_repeat_an_activity(marker: str, expected: set[str]) -> None:
    assert language(f'<task id="A">{marker}</task>', "start > A > end", longest=3) == expected


def test_parallel_instances_get_a_remark() -> None:
    marker = "<multiInstanceLoopCharacteristics/>"
    found = translated(f'<task id="A">{marker}</task>', "start > A > end")
    assert [(r.element_id, "order" in r.text) for r in found.remarks] == [("A", True)]


def test_an_ad_hoc_sub_process_does_what_it_holds_in_any_order() -> None:
    inner = '<adHocSubProcess id="S"><task id="A"/><task id="B"/></adHocSubProcess>'
    found = language(inner, "start > S > C > end", longest=3)
    assert found == {"C", "A C", "B C", "A A C", "A B C", "B A C", "B B C"}


def test_a_call_is_one_activity_or_what_it_calls() -> None:
    call = '<callActivity id="K" name="Do it" calledElement="Q"/>'
    process = f'<process id="P">{body(call, "start > K > end")}</process>'
    other = f'<process id="Q">{body("startq > A > endq")}</process>'
    assert words(of_automaton(read_bpmn(definitions(process)).model, 3)) == {"Do it"}
    found = read_bpmn(definitions(other + process))
    assert words(of_automaton(found.model, 3)) == {"A"}
    assert found.remarks == ()


def test_a_process_that_calls_itself_is_one_activity_there() -> None:
    call = '<callActivity id="K" calledElement="P"/>'
    found = translated(call, "start > A > K > end")
    assert words(of_automaton(found.model, 3)) == {"A K"}
    assert [remark.element_id for remark in found.remarks] == ["K"]


def test_links_lead_on() -> None:
    out = event("intermediateThrowEvent", "out", "link:L")
    back = event("intermediateCatchEvent", "back", "link:L")
    assert language(out, back, "start > A > out", "back > B > end") == {"A B"}


def test_named_events_leave_an_event_on_request() -> None:
    wait = event("intermediateCatchEvent", "w", "timer", name="Waited")
    parts = (wait, '<startEvent id="start" name="Begun"/>', "start > A > w > end")
    assert language(*parts) == {"A"}
    assert language(*parts, events=True) == {"Begun A Waited"}
