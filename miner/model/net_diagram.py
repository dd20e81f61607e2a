"""From workflow nets to BPMN diagrams."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from miner.drawing.layout import Box, Course, Link, layout
from miner.errors import InputError
from miner.model.diagram import MARGIN, SIZES, Diagram, Element, Flow, Kind, Point
from miner.model.workflow_net import Marking, WorkflowNet

_TOLERANCE = 0.75
"""How many pixels a line may lie beside the curve it stands for."""


def diagram_of_net(net: WorkflowNet) -> Diagram:
    """The BPMN process with the complete traces of `net`, laid out from left to right.

    Places with several ways in or out become exclusive gateways, transitions with several become
    parallel ones, silent transitions and places with one way in and out become plain flows.
    Raises InputError for a net with an arc of a weight other than 1.
    """
    heavy = next((arc for arc in net.arcs if arc.weight != 1), None)
    if heavy is not None:
        raise InputError(
            f"The arc from {heavy.source!r} to {heavy.target!r} has the weight {heavy.weight}, "
            "which BPMN has no sign for.",
            hint="Export the model as PNML or JSON.",
        )
    graph = _Graph(net)
    boxes = [Box(name, *SIZES[kind], _box_kind(kind)) for name, (kind, _) in graph.nodes.items()]
    links = [Link(source, target) for source, target in graph.links]
    placed = layout(boxes, links, direction="LR")
    elements = [
        Element(name, kind, label, _shifted(placed.centres[name]))
        for name, (kind, label) in graph.nodes.items()
    ]
    flows = [
        Flow(f"Flow_{number}", link.source, link.target, _polyline(course))
        for number, (link, course) in enumerate(zip(links, placed.courses, strict=True), 1)
    ]
    width, height = placed.width + 2 * MARGIN, placed.height + 2 * MARGIN
    return Diagram(tuple(elements), tuple(flows), width, height)


def _box_kind(kind: Kind) -> str:
    return {"start": "start", "end": "end", "task": "activity"}.get(kind, "gateway")


class _Graph:
    """Elements and flows without places on the page.

    Each node of the net becomes a chain (join, element, split) of which only what is needed stays.
    """

    def __init__(self, net: WorkflowNet) -> None:
        self.nodes: dict[str, tuple[Kind, str]] = {}
        self._counts: Counter[str] = Counter()
        self._direct: list[tuple[str, str]] = []
        inputs, outputs = net.inputs(), net.outputs()
        fronts: dict[str, str] = {}
        backs: dict[str, str] = {}
        start = self._event("start", net.initial)
        for place in net.places:
            ways_in = len(inputs[place]) + sum(p == place for p, _ in net.initial)
            ways_out = len(outputs[place]) + sum(p == place for p, _ in net.final)
            chain = [*self._gateway("exclusive", ways_in), *self._gateway("exclusive", ways_out)]
            fronts[place], backs[place] = self._chain(chain or [_bare(place)])
        for transition in net.transitions:
            chain = self._gateway("parallel", len(inputs[transition.id]))
            if transition.label is not None:
                chain.append(self._new("task", transition.label))
            chain += self._gateway("parallel", len(outputs[transition.id]))
            fronts[transition.id], backs[transition.id] = self._chain(
                chain or [_bare(transition.id)]
            )
        self._direct += [(backs[arc.source], fronts[arc.target]) for arc in net.arcs]
        self._direct += [(start, fronts[place]) for place, _ in net.initial]
        end = self._event("end", net.final)
        self._direct += [(backs[place], end) for place, _ in net.final]
        self.links = self._without_bare()

    def _event(self, kind: Kind, marking: Marking) -> str:
        """The start or end event, with a parallel gateway when it stands for several tokens."""
        event = self._new(kind, "")
        if len(marking) < 2:
            return event
        gateway = self._new("parallel", "")
        self._direct.append((event, gateway) if kind == "start" else (gateway, event))
        return gateway

    def _new(self, kind: Kind, label: str) -> str:
        prefix = {"start": "StartEvent", "end": "EndEvent", "task": "Task"}.get(kind, "Gateway")
        self._counts[prefix] += 1
        name = f"{prefix}_{self._counts[prefix]}"
        self.nodes[name] = (kind, label)
        return name

    def _gateway(self, kind: Kind, ways: int) -> list[str]:
        return [self._new(kind, "")] if ways > 1 else []

    def _chain(self, names: list[str]) -> tuple[str, str]:
        self._direct += pairwise(names)
        return names[0], names[-1]

    def _without_bare(self) -> list[tuple[str, str]]:
        """The links with chains of bare nodes bridged; a bare node has one way in and out."""
        following = dict(self._direct)
        found = []
        for source, target in self._direct:
            if source not in self.nodes:
                continue
            while target not in self.nodes and target in following:
                target = following[target]
            if target in self.nodes:
                found.append((source, target))
        return found


def _bare(node: str) -> str:
    """The name of a node that only passes a token on: no element, and bridged in the end."""
    return f"bare {node}"


def _shifted(point: Point) -> Point:
    return round(point[0] + MARGIN, 1), round(point[1] + MARGIN, 1)


def _polyline(course: Course) -> tuple[Point, ...]:
    """The course as straight lines that stay close to it."""
    points = [course.points[0]]
    for first in range(0, len(course.points) - 1, 3):
        a, b, c, d = course.points[first : first + 4]
        points += [_bezier(a, b, c, d, step / 12) for step in range(1, 13)]
    return tuple(_shifted(point) for point in _simplified(points))


def _bezier(a: Point, b: Point, c: Point, d: Point, t: float) -> Point:
    u = 1 - t
    w = (u**3, 3 * u * u * t, 3 * u * t * t, t**3)
    return (
        w[0] * a[0] + w[1] * b[0] + w[2] * c[0] + w[3] * d[0],
        w[0] * a[1] + w[1] * b[1] + w[2] * c[1] + w[3] * d[1],
    )


def _simplified(points: list[Point]) -> list[Point]:
    """Douglas and Peucker's line simplification."""
    if len(points) < 3:
        return points
    (ax, ay), (bx, by) = points[0], points[-1]
    length = ((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5 or 1.0
    away = [abs((bx - ax) * (ay - y) - (ax - x) * (by - ay)) / length for x, y in points]
    far = max(range(len(points)), key=away.__getitem__)
    if away[far] <= _TOLERANCE:
        return [points[0], points[-1]]
    return _simplified(points[: far + 1])[:-1] + _simplified(points[far:])
