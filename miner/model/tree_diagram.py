"""From process trees to BPMN diagrams: every block has a rectangle to itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from miner.model.diagram import MARGIN, SIZES, Diagram, Element, Flow, Kind, Point
from miner.model.process_tree import Operator, ProcessTree

_GAP = 40.0
"""Between elements that follow each other."""
_LANE = 20.0
"""Between branches."""
_GATEWAY = SIZES["exclusive"][0]
_HALF = _GATEWAY / 2
_GATEWAYS: dict[Operator, Kind] = {
    Operator.EXCLUSIVE: "exclusive",
    Operator.PARALLEL: "parallel",
    Operator.INCLUSIVE: "inclusive",
}


def diagram_of_tree(tree: ProcessTree) -> Diagram:
    """The BPMN process with the traces of `tree`, laid out from left to right.

    A choice, a parallel block and an inclusive one sit between two gateways; a loop has an
    exclusive gateway before its first part and one behind, and the way back below. Flows are
    straight lines with right angles and cross no element.
    """
    block = _measured(tree)
    drawing = _Drawing()
    size = SIZES["start"][0]
    x, y = MARGIN, MARGIN + max(block.up, size / 2)
    end = drawing.element("start", "", x + size / 2, y)
    start = _Pen(end, ((x + size, y),), x + size + _GAP, y, 1)
    pen = _draw(block, start, drawing)
    gap = _GAP if block.width else 0.0
    drawing.enter(replace(pen, x=pen.x + gap), "end", "")
    height = y + max(block.down, size / 2) + MARGIN
    return Diagram(
        tuple(drawing.elements), tuple(drawing.flows), pen.x + gap + size + MARGIN, height
    )


@dataclass(frozen=True)
class _Block:
    """A node of the tree and the room it takes, above and below the line it lies on."""

    tree: ProcessTree
    width: float
    up: float
    down: float
    children: tuple[_Block, ...] = ()
    offsets: tuple[float, ...] = ()
    """How far below the line of the block each child has its own line."""


def _measured(tree: ProcessTree) -> _Block:
    if tree.operator is None:
        width, height = SIZES["task"] if tree.label is not None else (0.0, 2 * _LANE)
        return _Block(tree, width, height / 2, height / 2)
    children = tuple(map(_measured, _parts(tree)))
    match tree.operator:
        case Operator.SEQUENCE:
            return _sequence(tree, tuple(child for child in children if child.width))
        case Operator.LOOP:
            return _loop(tree, children)
        case _:
            return _branches(tree, children)


def _parts(tree: ProcessTree) -> tuple[ProcessTree, ...]:
    """The children that make a difference."""
    match tree.operator:
        case Operator.PARALLEL:
            return tuple(child for child in tree.children if not child.silent)
        case Operator.EXCLUSIVE:
            return tuple(dict.fromkeys(tree.children))
        case _:
            return tree.children


def _sequence(tree: ProcessTree, children: tuple[_Block, ...]) -> _Block:
    if not children:
        return _Block(tree, 0.0, _LANE, _LANE)
    width = sum(child.width for child in children) + _GAP * (len(children) - 1)
    up, down = max(child.up for child in children), max(child.down for child in children)
    return _Block(tree, width, up, down, children, (0.0,) * len(children))


def _branches(tree: ProcessTree, children: tuple[_Block, ...]) -> _Block:
    if len(children) < 2:
        return children[0] if children else _Block(tree, 0.0, _LANE, _LANE)
    lines = _stacked(children, 0.0)
    middle = (lines[0] + lines[-1]) / 2
    # The line goes on through the middle branch, and through one with activities if it can.
    places = zip(lines, children, strict=True)
    _, _, line = min((round(abs(own - middle)), not child.width, own) for own, child in places)
    offsets = tuple(own - line for own in lines)
    width = max(child.width for child in children) + 2 * (_GATEWAY + _GAP)
    up = max(_HALF, children[0].up - offsets[0])
    down = max(_HALF, children[-1].down + offsets[-1])
    return _Block(tree, width, up, down, children, offsets)


def _loop(tree: ProcessTree, children: tuple[_Block, ...]) -> _Block:
    first, *ways_back = children
    below = max(first.down, _HALF) + _LANE
    offsets = (0.0, *(below + own for own in _stacked(ways_back, 0.0)))
    width = max(child.width for child in children) + 2 * (_GATEWAY + _GAP)
    down = offsets[-1] + ways_back[-1].down
    return _Block(tree, width, max(first.up, _HALF), down, children, offsets)


def _stacked(children: Sequence[_Block], top: float) -> list[float]:
    """The line of each child when they lie below each other."""
    lines: list[float] = []
    for child in children:
        lines.append(top + child.up)
        top += child.up + child.down + _LANE
    return lines


@dataclass(frozen=True)
class _Pen:
    """Where drawing goes on: the last element, the flow that leaves it so far, and the place."""

    source: str
    points: tuple[Point, ...]
    x: float
    y: float
    way: int
    """1 from left to right, -1 back."""

    def moved(self, distance: float) -> _Pen:
        return replace(self, x=self.x + self.way * distance)


class _Drawing:
    """Elements and flows so far."""

    def __init__(self) -> None:
        self.elements: list[Element] = []
        self.flows: list[Flow] = []
        self._counts: Counter[str] = Counter()

    def element(self, kind: Kind, name: str, x: float, y: float) -> str:
        prefix = {"start": "StartEvent", "end": "EndEvent", "task": "Task"}.get(kind, "Gateway")
        self._counts[prefix] += 1
        self.elements.append(Element(f"{prefix}_{self._counts[prefix]}", kind, name, (x, y)))
        return self.elements[-1].id

    def enter(self, pen: _Pen, kind: Kind, name: str) -> _Pen:
        """Draw an element at the pen and the flow into it; the pen is behind it afterwards."""
        width = SIZES[kind][0]
        new = self.element(kind, name, pen.x + pen.way * width / 2, pen.y)
        self.flow(pen, new, (pen.x, pen.y))
        behind = (pen.x + pen.way * width, pen.y)
        return _Pen(new, (behind,), *behind, pen.way)

    def flow(self, pen: _Pen, target: str, *points: Point) -> None:
        way = _straightened((*pen.points, *points))
        self.flows.append(Flow(f"Flow_{len(self.flows) + 1}", pen.source, target, way))


def _draw(block: _Block, pen: _Pen, drawing: _Drawing) -> _Pen:
    if not block.width:
        return pen
    match block.tree.operator:
        case None:
            return drawing.enter(pen, "task", block.tree.label or "")
        case Operator.SEQUENCE:
            for index, child in enumerate(block.children):
                pen = _draw(child, pen.moved(_GAP) if index else pen, drawing)
            return pen
        case Operator.LOOP:
            return _draw_loop(block, pen, drawing)
        case operator:
            return _draw_branches(block, pen, drawing, _GATEWAYS[operator])


def _draw_branches(block: _Block, pen: _Pen, drawing: _Drawing, kind: Kind) -> _Pen:
    split = drawing.enter(pen, kind, "")
    pens = []
    for child, offset in zip(block.children, block.offsets, strict=True):
        start = _turned(split, offset)
        pens.append(_draw(child, start.moved(_GAP), drawing) if child.width else start)
    x = pen.moved(block.width - _GATEWAY).x
    centre = x + pen.way * _HALF
    join = drawing.element(kind, "", centre, pen.y)
    for branch, offset in zip(pens, block.offsets, strict=True):
        drawing.flow(branch, join, *_arrival(offset, centre, (x, pen.y)))
    behind = (x + pen.way * _GATEWAY, pen.y)
    return _Pen(join, (behind,), *behind, pen.way)


def _draw_loop(block: _Block, pen: _Pen, drawing: _Drawing) -> _Pen:
    join = drawing.enter(pen, "exclusive", "")
    last = _draw(block.children[0], join.moved(_GAP), drawing)
    x = pen.moved(block.width - _GATEWAY).x
    split = drawing.enter(replace(last, x=x), "exclusive", "")
    centre = pen.x + pen.way * _HALF
    for child, offset in zip(block.children[1:], block.offsets[1:], strict=True):
        turn = (x + pen.way * _HALF, pen.y + offset)
        points = ((turn[0], pen.y + _HALF), turn)
        back = _Pen(split.source, points, x, turn[1], -pen.way)
        back = _draw(child, back.moved(_GAP), drawing) if child.width else back
        drawing.flow(back, join.source, *_arrival(offset, centre, (centre, pen.y)))
    return split


def _turned(split: _Pen, offset: float) -> _Pen:
    """The pen at the beginning of a branch `offset` below the line of its gateway."""
    if offset == 0:
        return split
    x = split.x - split.way * _HALF
    edge = split.y + (_HALF if offset > 0 else -_HALF)
    line = split.y + offset
    return replace(split, points=((x, edge), (x, line)), y=line)


def _arrival(offset: float, centre: float, front: Point) -> tuple[Point, ...]:
    """The last points of a flow from a branch `offset` below into the gateway at `centre`."""
    if offset == 0:
        return (front,)
    y = front[1]
    return (centre, y + offset), (centre, y + (_HALF if offset > 0 else -_HALF))


def _straightened(points: Sequence[Point]) -> tuple[Point, ...]:
    """Without points that lie on the line between their neighbours, and without repeats."""
    kept: list[Point] = []
    for point in points:
        if kept and point == kept[-1]:
            continue
        if len(kept) > 1 and (
            kept[-2][0] == kept[-1][0] == point[0] or kept[-2][1] == kept[-1][1] == point[1]
        ):
            kept.pop()
        kept.append(point)
    return tuple(kept)
