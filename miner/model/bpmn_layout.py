"""Places for BPMN files that come without any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from miner.drawing.layout import Box, Course, Link, layout
from miner.model.bpmn import GATEWAYS, Document, Node, Scope, SequenceFlow
from miner.model.bpmn_diagram import BpmnDiagram, Line, Shape, on_page, shape_of

_EVENT, _GATEWAY, _TASK = (36.0, 36.0), (50.0, 50.0), (100.0, 80.0)
_AROUND, _HEADING = 24.0, 26.0
_BETWEEN = 50.0


def laid_out(document: Document, names: Mapping[str, str]) -> BpmnDiagram:
    """The processes of a document from left to right, one below the other.

    `names` are those of the flows by their ids.
    """
    shapes: list[Shape] = []
    lines: list[Line] = []
    top = 0.0
    for process in document.processes.values():
        placed, flows, _, height = _scope(process.scope)
        shapes += [_moved(shape, 0.0, top) for shape in placed]
        lines += [_moved_line(line, 0.0, top) for line in flows]
        top += height + _BETWEEN
    named = [replace(line, name=names.get(line.id, "")) for line in lines]
    return on_page(shapes, named, {}, "layout")


_Placed = tuple[list[Shape], list[Line], float, float]


def _scope(scope: Scope) -> _Placed:
    """Shapes and lines of a scope, what is inside its sub-processes too, with its size."""
    inner = {node.id: _scope(node.inner) for node in scope.nodes.values() if node.inner is not None}
    hosts = {
        node.id: node.attached_to
        for node in scope.nodes.values()
        if node.attached_to in scope.nodes
    }
    boxes = [
        Box(node.id, *_size(node, inner.get(node.id)), _box_kind(node))
        for node in scope.nodes.values()
        if node.id not in hosts
    ]
    links = [
        Link(hosts.get(flow.source, flow.source), hosts.get(flow.target, flow.target))
        for flow in scope.flows
    ]
    found = layout(boxes, links, direction="LR")
    shapes: list[Shape] = []
    lines: list[Line] = []
    for box in boxes:
        x, y = found.centres[box.id]
        x, y = x - box.width / 2, y - box.height / 2
        content = inner.get(box.id)
        open_ = bool(content and content[0])
        shapes.append(shape_of(scope.nodes[box.id], x, y, box.width, box.height, open_))
        if content:
            shapes += [_moved(each, x + _AROUND, y + _HEADING) for each in content[0]]
            lines += [_moved_line(each, x + _AROUND, y + _HEADING) for each in content[1]]
    at = {shape.id: shape for shape in shapes}
    attached = _attached(scope, hosts, at)
    shapes += attached
    at |= {shape.id: shape for shape in attached}
    lines += [_line(*pair, at, hosts) for pair in zip(scope.flows, found.courses, strict=True)]
    below = _EVENT[1] if attached else 0.0
    return shapes, lines, found.width, found.height + below


def _size(node: Node, content: _Placed | None) -> tuple[float, float]:
    if content and content[0]:
        return max(_TASK[0], content[2] + 2 * _AROUND), content[3] + _AROUND + _HEADING
    if node.kind in GATEWAYS:
        return _GATEWAY
    return _EVENT if node.kind.endswith("Event") else _TASK


def _box_kind(node: Node) -> str:
    if node.kind in GATEWAYS:
        return "gateway"
    return "event" if node.kind.endswith("Event") else "activity"


def _attached(scope: Scope, hosts: dict[str, str], at: dict[str, Shape]) -> list[Shape]:
    """Boundary events along the lower edge of what they are attached to."""
    so_far: dict[str, int] = {}
    found = []
    for name, host in hosts.items():
        number = so_far[host] = so_far.get(host, 0) + 1
        around = at.get(host)
        if around is not None:
            x = around.x + around.width - number * (_EVENT[0] + 8)
            y = around.y + around.height - _EVENT[1] / 2
            found.append(shape_of(scope.nodes[name], x, y, *_EVENT, False))
    return found


def _line(flow: SequenceFlow, course: Course, at: dict[str, Shape], hosts: dict[str, str]) -> Line:
    points = course.points
    if flow.source in hosts and flow.source in at:
        event = at[flow.source]
        x, low = event.centre[0], event.y + event.height
        end = points[-1]
        points = ((x, low), (x, low + 40), (end[0] - 40, end[1]), end)
    return Line(flow.id, "sequenceFlow", "", flow.source, flow.target, points, curved=True)


def _moved(shape: Shape, x: float, y: float) -> Shape:
    return replace(shape, x=shape.x + x, y=shape.y + y)


def _moved_line(line: Line, x: float, y: float) -> Line:
    return replace(line, points=tuple((a + x, b + y) for a, b in line.points))
