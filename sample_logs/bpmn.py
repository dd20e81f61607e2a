"""Workflows as BPMN 2.0 XML with layout (DI), so that any BPMN tool can show them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lxml import etree

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
BPMNDI = "http://www.omg.org/spec/BPMN/20100524/DI"
DC = "http://www.omg.org/spec/DD/20100524/DC"
DI = "http://www.omg.org/spec/DD/20100524/DI"
NAMESPACES = {None: BPMN, "bpmndi": BPMNDI, "dc": DC, "di": DI}

COLUMN, ROW, MARGIN = 150, 130, 110
SIZES = {"task": (100, 80), "gateway": (50, 50), "event": (36, 36)}
ELEMENTS = {
    "start": ("startEvent", "event"),
    "end": ("endEvent", "event"),
    "error_end": ("endEvent", "event"),
    "error": ("boundaryEvent", "event"),
    "timer": ("boundaryEvent", "event"),
    "user": ("userTask", "task"),
    "service": ("serviceTask", "task"),
    "exclusive": ("exclusiveGateway", "gateway"),
    "parallel": ("parallelGateway", "gateway"),
}

Point = tuple[int, int]


@dataclass(frozen=True)
class Node:
    """An element of a workflow in a cell of a grid; a boundary event sits on the task `on`."""

    id: str
    kind: str
    name: str = ""
    column: float = 0
    row: float = 0
    on: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return SIZES[ELEMENTS[self.kind][1]]

    @property
    def is_gateway(self) -> bool:
        """Whether flows split or join here."""
        return self.kind in ("exclusive", "parallel")


@dataclass(frozen=True)
class Workflow:
    """A workflow: its nodes, and its flows as paths such as "a > b > c" or "a > b : label"."""

    process: str
    version: str
    nodes: Sequence[Node]
    paths: Sequence[str]

    def activities(self) -> list[str]:
        """The names of its tasks, in the order they are written down."""
        return [node.name for node in self.nodes if node.kind in ("user", "service")]

    def flows(self) -> list[tuple[str, str, str]]:
        """Source, target and label of every sequence flow."""
        found = []
        for path in self.paths:
            way, _, label = (part.strip() for part in path.partition(":"))
            steps = [step.strip() for step in way.split(">")]
            found += [(a, b, label) for a, b in pairwise(steps)]
        return found


def tasks(row: float, *written: tuple[str, str, str, float]) -> list[Node]:
    """Tasks of one row from (id, kind, name, column)."""
    return [Node(id_, kind, name, column, row) for id_, kind, name, column in written]


def bpmn(workflow: Workflow) -> bytes:
    """The workflow as a BPMN 2.0 file: one process, one diagram, ids stable between runs."""
    flows = [(f"flow_{n}", *flow) for n, flow in enumerate(workflow.flows(), start=1)]
    root = etree.Element(f"{{{BPMN}}}definitions", nsmap=NAMESPACES)
    root.set("id", "definitions")
    root.set("targetNamespace", f"https://procession.example/{workflow.process}")
    if any("error" in node.kind for node in workflow.nodes):
        _add(root, "error", id="error", name="Error", errorCode="error")
    process_id = workflow.process.replace("-", "_")
    process = _add(root, "process", id=process_id, name=workflow.process, isExecutable="false")
    _add(process, "documentation").text = f"Version {workflow.version}"
    for node in workflow.nodes:
        _add_node(process, node, flows)
    for id_, source, target, label in flows:
        flow = _add(process, "sequenceFlow", id=id_, sourceRef=source, targetRef=target)
        if label:
            flow.set("name", label)
    _add_diagram(root, process_id, workflow.nodes, flows)
    content: bytes = etree.tostring(root, pretty_print=True, xml_declaration=True, encoding="UTF-8")
    return content


def _add(parent: etree._Element, tag: str, **attributes: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{BPMN}}}{tag}", attributes)


def _add_node(
    process: etree._Element, node: Node, flows: Iterable[tuple[str, str, str, str]]
) -> None:
    element = _add(process, ELEMENTS[node.kind][0], id=node.id)
    if node.name:
        element.set("name", node.name)
    if node.on:
        element.set("attachedToRef", node.on)
    for id_, _, target, _ in flows:
        if target == node.id:
            _add(element, "incoming").text = id_
    for id_, source, _, _ in flows:
        if source == node.id:
            _add(element, "outgoing").text = id_
    if "error" in node.kind:
        _add(element, "errorEventDefinition", id=f"{node.id}_definition", errorRef="error")
    if node.kind == "timer":
        definition = _add(element, "timerEventDefinition", id=f"{node.id}_definition")
        _add(definition, "timeDuration").text = "PT45M"


def _add_diagram(
    root: etree._Element,
    process_id: str,
    nodes: Sequence[Node],
    flows: Iterable[tuple[str, str, str, str]],
) -> None:
    diagram = etree.SubElement(root, f"{{{BPMNDI}}}BPMNDiagram", id="diagram")
    plane = etree.SubElement(diagram, f"{{{BPMNDI}}}BPMNPlane", id="plane", bpmnElement=process_id)
    by_id = {node.id: node for node in nodes}
    places = {node.id: _place(node, by_id) for node in nodes}
    for node in nodes:
        shape = etree.SubElement(
            plane, f"{{{BPMNDI}}}BPMNShape", id=f"{node.id}_shape", bpmnElement=node.id
        )
        if node.kind == "exclusive":
            shape.set("isMarkerVisible", "true")
        (x, y), (width, height) = places[node.id], node.size
        bounds = {"x": x - width // 2, "y": y - height // 2, "width": width, "height": height}
        etree.SubElement(shape, f"{{{DC}}}Bounds", {k: str(v) for k, v in bounds.items()})
    for id_, source, target, _ in flows:
        edge = etree.SubElement(plane, f"{{{BPMNDI}}}BPMNEdge", id=f"{id_}_edge", bpmnElement=id_)
        for x, y in _way(by_id[source], by_id[target], places):
            etree.SubElement(edge, f"{{{DI}}}waypoint", x=str(x), y=str(y))


def _place(node: Node, by_id: dict[str, Node]) -> Point:
    """The middle of the node."""
    if node.on:
        x, y = _place(by_id[node.on], by_id)
        aside = -25 if node.kind == "timer" else 25
        return x + aside, y + SIZES["task"][1] // 2
    return MARGIN + round(node.column * COLUMN), MARGIN + round(node.row * ROW)


def _way(source: Node, target: Node, places: dict[str, Point]) -> list[Point]:
    """The corners of an arc: along rows and columns; loops run below the nodes they lead around."""
    (x1, y1), (x2, y2) = places[source.id], places[target.id]
    (w1, h1), (w2, h2) = (tuple(side // 2 for side in node.size) for node in (source, target))
    right, down = 1 if x2 > x1 else -1, 1 if y2 > y1 else -1
    if x1 == x2:
        return [(x1, y1 + down * h1), (x2, y2 - down * h2)]
    if y1 == y2:
        if x2 < x1 and any(y == y1 and x2 < x < x1 for x, y in places.values()):
            below = y1 + 75
            return [(x1, y1 + h1), (x1, below), (x2, below), (x2, y2 + h2)]
        return [(x1 + right * w1, y1), (x2 - right * w2, y2)]
    if target.is_gateway and not source.on:
        return [(x1 + right * w1, y1), (x2, y1), (x2, y2 - down * h2)]
    return [(x1, y1 + down * h1), (x1, y2), (x2 - right * w2, y2)]
