from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from miner.errors import InputError
from miner.model.bpmn_writer import to_bpmn
from miner.model.diagram import SIZES, Diagram
from miner.model.model_diagram import model_diagram
from miner.model.process_model import ProcessModel, model_of_net, model_of_tree
from miner.model.process_tree import TAU, Operator, ProcessTree, activity, tree
from miner.model.tree_net import net_of_tree
from miner.model.workflow_net import Arc, Transition, WorkflowNet
from tests.model.languages import by_definition, of_pm4py, read_bpmn, trees

SPACES = {
    "bpmn": "http://www.omg.org/spec/BPMN/20100524/MODEL",
    "bpmndi": "http://www.omg.org/spec/BPMN/20100524/DI",
    "dc": "http://www.omg.org/spec/DD/20100524/DC",
    "di": "http://www.omg.org/spec/DD/20100524/DI",
}
# pm4py reads inclusive gateways as a choice of one or all, so they have a test of their own.
EXACT = tuple(operator for operator in Operator if operator is not Operator.INCLUSIVE)
A, B, C = activity("a"), activity("b"), activity("c")
quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def both_ways(found: ProcessTree) -> list[ProcessModel]:
    """The model of a tree, and the same as a net whose tree is forgotten."""
    return [model_of_tree("random", found), model_of_net("random", net_of_tree(found))]


@quick
@given(trees(operators=EXACT))
def test_bpmn_read_back_by_pm4py_has_the_same_traces(tmp_path: Path, found: ProcessTree) -> None:
    for model in both_ways(found):
        net, initial, final = read_bpmn(to_bpmn(model), tmp_path)
        assert of_pm4py(net, initial, final, 4) == by_definition(found, 4)


@quick
@given(trees())
def test_every_element_has_a_shape_and_every_flow_an_edge(found: ProcessTree) -> None:
    for model in both_ways(found):
        check_structure(to_bpmn(model))


def check_structure(text: str) -> None:
    """The document is complete: references meet, ids are unique names, all is on the page."""
    root = ElementTree.fromstring(text)
    ids = [node.attrib["id"] for node in root.iter() if "id" in node.attrib]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[A-Za-z_][\w.-]*", name) for name in ids)
    process = root.find("bpmn:process", SPACES)
    assert process is not None
    flows = {f.attrib["id"]: f.attrib for f in process.findall("bpmn:sequenceFlow", SPACES)}
    nodes = {n.attrib["id"]: n for n in process if n.attrib["id"] not in flows}
    for name, node in nodes.items():
        incoming = {child.text for child in node.findall("bpmn:incoming", SPACES)}
        outgoing = {child.text for child in node.findall("bpmn:outgoing", SPACES)}
        assert incoming == {f for f, ends in flows.items() if ends["targetRef"] == name}
        assert outgoing == {f for f, ends in flows.items() if ends["sourceRef"] == name}
        assert incoming or node.tag.endswith("startEvent")
        assert outgoing or node.tag.endswith("endEvent")
    shapes = root.findall(".//bpmndi:BPMNShape", SPACES)
    edges = root.findall(".//bpmndi:BPMNEdge", SPACES)
    assert sorted(shape.attrib["bpmnElement"] for shape in shapes) == sorted(nodes)
    assert sorted(edge.attrib["bpmnElement"] for edge in edges) == sorted(flows)
    assert all(shape.find("dc:Bounds", SPACES) is not None for shape in shapes)
    assert all(len(edge.findall("di:waypoint", SPACES)) >= 2 for edge in edges)


@settings(max_examples=150, deadline=None)
@given(trees(names="abcdefgh", leaves=12))
def test_the_elements_of_a_tree_keep_clear_of_each_other_and_of_flows(found: ProcessTree) -> None:
    drawn = model_diagram(model_of_tree("random", found))
    boxes = {e.id: (*e.corner, *SIZES[e.kind]) for e in drawn.elements}
    names = list(boxes)
    for number, name in enumerate(names):
        x, y, width, height = boxes[name]
        assert x >= 0 and y >= 0 and x + width <= drawn.width and y + height <= drawn.height
        for other in names[number + 1 :]:
            assert not overlap(boxes[name], boxes[other]), (name, other)
    for flow in drawn.flows:
        for (x1, y1), (x2, y2) in zip(flow.points, flow.points[1:], strict=False):
            assert x1 == x2 or y1 == y2, "a flow of a block is orthogonal"
            line = (min(x1, x2), min(y1, y2), abs(x1 - x2), abs(y1 - y2))
            assert not [name for name in names if overlap(boxes[name], line)]


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    """Whether the insides of two rectangles meet; touching is fine."""
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


@settings(max_examples=100, deadline=None)
@given(trees())
def test_flows_start_and_end_at_the_outline_of_their_elements(found: ProcessTree) -> None:
    check_ends(model_diagram(model_of_tree("random", found)), 0.01)


def test_flows_of_a_net_end_near_their_elements() -> None:
    loop = tree(Operator.LOOP, tree(Operator.PARALLEL, A, B), C)
    check_ends(model_diagram(model_of_net("loop", net_of_tree(loop))), 3)


def check_ends(drawn: Diagram, tolerance: float) -> None:
    """Each flow begins and ends on the bounds of its elements."""
    elements = {element.id: element for element in drawn.elements}
    for flow in drawn.flows:
        for name, (x, y) in ((flow.source, flow.points[0]), (flow.target, flow.points[-1])):
            (left, top), (width, height) = elements[name].corner, SIZES[elements[name].kind]
            assert left - tolerance <= x <= left + width + tolerance
            assert top - tolerance <= y <= top + height + tolerance


def test_a_choice_of_several_is_an_inclusive_gateway() -> None:
    text = to_bpmn(model_of_tree("some", tree(Operator.INCLUSIVE, A, B)))
    assert text.count("<bpmn:inclusiveGateway") == 2
    check_structure(text)


def test_a_net_that_joins_two_tokens_has_parallel_gateways() -> None:
    text = to_bpmn(model_of_net("both", net_of_tree(tree(Operator.PARALLEL, A, B))))
    assert text.count("<bpmn:parallelGateway") == 2
    assert "exclusiveGateway" not in text


def test_a_net_with_several_tokens_at_start_and_end_splits_and_joins(tmp_path: Path) -> None:
    arcs = (Arc("p1", "t1"), Arc("t1", "p2"), Arc("p3", "t2"), Arc("t2", "p4"))
    net = WorkflowNet(
        ("p1", "p2", "p3", "p4"),
        (Transition("t1", "a"), Transition("t2", "b")),
        arcs,
        (("p1", 1), ("p3", 1)),
        (("p2", 1), ("p4", 1)),
    )
    read, initial, final = read_bpmn(to_bpmn(model_of_net("two", net)), tmp_path)
    assert of_pm4py(read, initial, final, 3) == {("a", "b"), ("b", "a")}


def test_an_arc_of_two_tokens_has_no_sign_in_bpmn() -> None:
    arcs = (Arc("p1", "t1"), Arc("t1", "p2", 2))
    net = WorkflowNet(("p1", "p2"), (Transition("t1", "a"),), arcs, (("p1", 1),), (("p2", 2),))
    with pytest.raises(InputError, match="weight 2"):
        to_bpmn(model_of_net("heavy", net))


@pytest.mark.parametrize(
    "name",
    ["<\"&'>", "two\nlines\tand a tab", "ünïcödé 漢字 🚲", " ", "]]>", "a;--drop table", "x" * 500],
)
def test_names_survive(name: str, tmp_path: Path) -> None:
    model = model_of_tree(name, tree(Operator.SEQUENCE, activity(name), TAU, A))
    text = to_bpmn(model)
    check_structure(text)
    tasks = ElementTree.fromstring(text).findall(".//bpmn:task", SPACES)
    assert [task.attrib["name"] for task in tasks] == [name, "a"]


def test_characters_that_xml_cannot_hold_are_replaced() -> None:
    text = to_bpmn(model_of_tree("bell\a", activity("nul\0 bell\a \ufffe \ud800")))
    ElementTree.fromstring(text)
    assert 'name="nul\ufffd bell\ufffd \ufffd \ufffd"' in text


@given(st.text(max_size=20))
def test_any_name_gives_a_document_that_can_be_read(name: str) -> None:
    ElementTree.fromstring(to_bpmn(model_of_tree(name, activity(name))).encode())


def test_the_same_model_gives_the_same_document() -> None:
    model = both_ways(tree(Operator.LOOP, tree(Operator.PARALLEL, A, B), C))
    assert [to_bpmn(m) for m in model] == [to_bpmn(m) for m in model]
