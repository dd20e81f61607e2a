"""BPMN files as they were drawn: shapes and lines with their places on the page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from miner.model.bpmn import (
    BPMN,
    CALLS,
    SUB_PROCESSES,
    TASKS,
    Document,
    Node,
    Scope,
    parse_bpmn,
)
from miner.model.diagram import MARGIN, Diagram, Point
from miner.model.xml_reader import parse_xml

_DI = "http://www.omg.org/spec/BPMN/20100524/DI"
_DC = "http://www.omg.org/spec/DD/20100524/DC"
_DD = "http://www.omg.org/spec/DD/20100524/DI"
_FARTHEST = 1_000_000.0
"""A place farther out than this, in pixels, is a fault of the file."""


@dataclass(frozen=True)
class Shape:
    """An element with its place; `kind` is the name of its BPMN element."""

    id: str
    kind: str
    name: str
    x: float
    y: float
    width: float
    height: float
    trigger: str = ""
    """What an event waits for or throws: timer, message, error, …; empty for a plain one."""
    interrupting: bool = True
    loop: str = ""
    """`loop`, `sequential` or `parallel`; empty when it runs once."""
    expanded: bool = False
    """Whether what is inside of it is drawn."""

    @property
    def centre(self) -> Point:
        """Its middle."""
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass(frozen=True)
class Line:
    """A flow between two shapes, by their ids.

    It runs straight between `points`; where it is `curved` they are 3n + 1 points of n Bézier
    curves.
    """

    id: str
    kind: str
    """`sequenceFlow` or `messageFlow`."""
    name: str
    source: str
    target: str
    points: tuple[Point, ...]
    curved: bool = False


@dataclass(frozen=True)
class BpmnDiagram:
    """Shapes, the outer ones first, and lines; the origin is the top left corner."""

    shapes: tuple[Shape, ...]
    lines: tuple[Line, ...]
    width: float
    height: float
    drawn_by: str
    """`file` where the places come from the file, `layout` where it has none."""
    within: Mapping[str, str] = field(default_factory=dict)
    """For each element that is not drawn, because it lies in a closed one, the shape it is in."""


def bpmn_diagram(text: str) -> BpmnDiagram:
    """A BPMN 2.0 document as its own diagram draws it; laid out where it has no whole diagram.

    Of several diagrams in a file the one with most shapes is taken. Pools and lanes are drawn where
    the file places them. Raises ModelError for what is no BPMN.
    """
    document = parse_bpmn(text)
    root = parse_xml(text, "BPMN")
    nodes = {node.id: node for node in _nodes(document)}
    plane = max(root.iter(f"{{{_DI}}}BPMNPlane"), key=len, default=None)
    places = {} if plane is None else dict(_places(plane))
    outer = [node for process in document.processes.values() for node in process.scope.nodes]
    if not places or not all(node in places for node in outer):
        from miner.model.bpmn_layout import laid_out

        return laid_out(document, _flow_names(root))
    shapes = [*_containers(root, places), *_shapes(nodes, places)]
    lines = _lines(root, plane, {shape.id: shape for shape in shapes}, _flows(document))
    return on_page(shapes, lines, _within(document, places))


def of_diagram(drawn: Diagram) -> BpmnDiagram:
    """A diagram of a model that was not drawn as BPMN."""
    from miner.model.diagram import SIZES

    kinds = {"start": "startEvent", "end": "endEvent", "task": "task"}
    shapes = tuple(
        Shape(
            each.id,
            kinds.get(each.kind, f"{each.kind}Gateway"),
            each.name,
            *each.corner,
            *SIZES[each.kind],
        )
        for each in drawn.elements
    )
    lines = tuple(
        Line(each.id, "sequenceFlow", "", each.source, each.target, each.points)
        for each in drawn.flows
    )
    return BpmnDiagram(shapes, lines, drawn.width, drawn.height, "layout")


def renamed(drawn: BpmnDiagram, names: Mapping[str, str]) -> BpmnDiagram:
    """The same diagram with what names of tasks mean in a log."""
    shapes = tuple(
        replace(shape, name=names.get(shape.name, shape.name))
        if shape.kind in TASKS | CALLS
        else shape
        for shape in drawn.shapes
    )
    return replace(drawn, shapes=shapes)


def shape_of(node: Node, x: float, y: float, width: float, height: float, open_: bool) -> Shape:
    """A node with its place."""
    nameless = node.kind not in TASKS | CALLS | SUB_PROCESSES
    return Shape(
        node.id,
        node.kind,
        node.name if nameless else node.label,
        x,
        y,
        width,
        height,
        node.triggers[0].kind if len(node.triggers) == 1 else "multiple" if node.triggers else "",
        node.interrupting,
        node.loop,
        open_,
    )


def _nodes(document: Document) -> Iterator[Node]:
    for process in document.processes.values():
        yield from _nodes_of(process.scope)


def _nodes_of(scope: Scope) -> Iterator[Node]:
    for node in scope.nodes.values():
        yield node
        if node.inner is not None:
            yield from _nodes_of(node.inner)


def _flows(document: Document) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    scopes = [process.scope for process in document.processes.values()]
    while scopes:
        scope = scopes.pop()
        found |= {flow.id: (flow.source, flow.target) for flow in scope.flows}
        scopes += [node.inner for node in scope.nodes.values() if node.inner is not None]
    return found


_Place = tuple[float, float, float, float]


def _places(plane: Any) -> Iterator[tuple[str, _Place]]:
    for shape in plane.iterfind(f"{{{_DI}}}BPMNShape"):
        bounds = shape.find(f"{{{_DC}}}Bounds")
        if bounds is None:
            continue
        x, y, width, height = (_number(bounds.get(n)) for n in ("x", "y", "width", "height"))
        if None not in (x, y, width, height) and width and height and min(width, height) > 0:
            yield shape.get("bpmnElement") or "", (x or 0.0, y or 0.0, width, height)


def _number(text: str | None) -> float | None:
    try:
        found = float(text or "")
    except ValueError:
        return None
    return found if math.isfinite(found) and abs(found) <= _FARTHEST else None


def _containers(root: Any, places: Mapping[str, _Place]) -> list[Shape]:
    """Pools and lanes, the outer ones first."""
    found = [
        Shape(name, kind, (element.get("name") or "").strip(), *places[name])
        for kind in ("participant", "lane")
        for element in root.iter(f"{{{BPMN}}}{kind}")
        if (name := element.get("id") or "") in places
    ]
    return sorted(found, key=lambda shape: -shape.width * shape.height)


def _shapes(nodes: Mapping[str, Node], places: Mapping[str, _Place]) -> Iterator[Shape]:
    for node in nodes.values():
        if node.id in places:
            inner = node.inner.nodes if node.inner else {}
            yield shape_of(node, *places[node.id], any(name in places for name in inner))


def _lines(
    root: Any, plane: Any, shapes: Mapping[str, Shape], flows: Mapping[str, tuple[str, str]]
) -> list[Line]:
    ways: dict[str, tuple[Point, ...]] = {
        edge.get("bpmnElement"): points
        for edge in plane.iterfind(f"{{{_DI}}}BPMNEdge")
        if len(points := _waypoints(edge)) > 1
    }
    names = _flow_names(root)
    lines = []
    for name, (source, target) in flows.items():
        if source in shapes and target in shapes:
            straight = (shapes[source].centre, shapes[target].centre)
            points = ways.get(name, straight)
            lines.append(Line(name, "sequenceFlow", names.get(name, ""), source, target, points))
    for flow in root.iter(f"{{{BPMN}}}messageFlow"):
        if way := ways.get(flow.get("id")):
            ends = flow.get("sourceRef") or "", flow.get("targetRef") or ""
            lines.append(Line(flow.get("id"), "messageFlow", names[flow.get("id")], *ends, way))
    return lines


def _flow_names(root: Any) -> dict[str, str]:
    return {
        flow.get("id") or "": (flow.get("name") or "").strip()
        for kind in ("sequenceFlow", "messageFlow")
        for flow in root.iter(f"{{{BPMN}}}{kind}")
    }


def _waypoints(edge: Any) -> tuple[Point, ...]:
    pairs = [
        (_number(point.get("x")), _number(point.get("y")))
        for point in edge.iterfind(f"{{{_DD}}}waypoint")
    ]
    return tuple((x, y) for x, y in pairs if x is not None and y is not None)


def _within(document: Document, places: Mapping[str, _Place]) -> dict[str, str]:
    """The nearest drawn element around each one that is not drawn."""
    found: dict[str, str] = {}

    def walk(scope: Scope, around: str | None) -> None:
        for node in scope.nodes.values():
            drawn = node.id if node.id in places else around
            if drawn is not None and drawn != node.id:
                found[node.id] = drawn
            if node.inner is not None:
                walk(node.inner, drawn)

    for process in document.processes.values():
        walk(process.scope, None)
    return found


def on_page(
    shapes: list[Shape], lines: list[Line], within: Mapping[str, str], drawn_by: str = "file"
) -> BpmnDiagram:
    """Everything moved so that it begins at the margin."""
    points = [point for line in lines for point in line.points]
    left = min([shape.x for shape in shapes] + [x for x, _ in points], default=0.0) - MARGIN
    top = min([shape.y for shape in shapes] + [y for _, y in points], default=0.0) - MARGIN
    right = max([s.x + s.width for s in shapes] + [x for x, _ in points], default=0.0) + MARGIN
    bottom = max([s.y + s.height for s in shapes] + [y for _, y in points], default=0.0) + MARGIN
    return BpmnDiagram(
        tuple(replace(shape, x=shape.x - left, y=shape.y - top) for shape in shapes),
        tuple(
            replace(line, points=tuple((x - left, y - top) for x, y in line.points))
            for line in lines
        ),
        right - left,
        bottom - top,
        drawn_by,
        within,
    )
