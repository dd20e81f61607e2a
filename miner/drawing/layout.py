"""Where the boxes and the links of a graph go."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from miner.drawing.flow_order import flow_order
from miner.drawing.graphviz import graphviz
from miner.drawing.layered import layered
from miner.drawing.text import width

Direction = Literal["TB", "LR"]
Point = tuple[float, float]

LABEL_SIZE = 10.5
"""Font size, in pixels, for which room is kept beside a link with a label."""

# Beyond this dot takes minutes (500 paths: up to 45 s), and nobody can read the picture.
_MOST_BOXES, _MOST_LINKS = 1_500, 1_500
_PIXELS_PER_INCH = 72
_OUTLINES = {"start": "ellipse", "end": "ellipse", "event": "ellipse", "gateway": "diamond"}
_RANKS = {"start": "source", "end": "sink"}


@dataclass(frozen=True)
class Box:
    """A node: its id, never shown to Graphviz, and its size in pixels.

    `kind` "start" stands before everything else and "end" after it; those two and "event" are
    round, "gateway" is a diamond, anything else is a rectangle. Links end at that outline.
    """

    id: str
    width: float
    height: float
    kind: str = "activity"


@dataclass(frozen=True)
class Link:
    """An arc between two boxes; `weight` says how much flows.

    Room is kept for `label`, clear of a line `thickness` pixels wide.
    """

    source: str
    target: str
    weight: float = 1
    label: str = ""
    thickness: float = 1


@dataclass(frozen=True)
class Course:
    """How a link runs: 3n + 1 points of n joined cubic Bézier curves, from source to target."""

    points: tuple[Point, ...]
    label: Point
    """Centre of the room kept for the label; the middle of the curve when there is none."""
    against_flow: bool
    """Whether it runs against the direction of the layout; a self-loop does not."""


@dataclass(frozen=True)
class Layout:
    """A laid out graph in pixels; the origin is the top left corner, y grows downwards."""

    width: float
    height: float
    centres: Mapping[str, Point]
    """The middle of each box, by its id."""
    courses: tuple[Course, ...]
    """One for each link, in the order of the links."""
    engine: Literal["dot", "layered"]
    """"layered" when Graphviz could not do it in time and the simple placement stood in."""
    note: str = ""
    """Why Graphviz did not do it; empty when it did."""


def layout(
    boxes: Sequence[Box],
    links: Sequence[Link],
    *,
    direction: Direction = "TB",
    timeout: float = 10.0,
) -> Layout:
    """Place `boxes` and route `links` so that as much weight as possible runs in `direction`.

    Boxes are ordered by a search for the order that lets most weight run forward, and links
    against that order are given to dot reversed, so that loops do not turn the picture over.
    Parallel links and self-loops each get a course of their own. The same input gives the same
    layout. No box: an empty layout of size zero.

    Never fails and never takes much longer than `timeout` seconds: when dot does not answer in
    time, gives up, or the graph is too large for it, `engine` is "layered".

    Raises ValueError when two boxes share an id or a link names a box that is not there.
    """
    index = _index(boxes, links)
    if not boxes:
        return Layout(0, 0, {}, (), "dot")
    pairs = [(index[link.source], index[link.target], link.weight) for link in links]
    order = _order(boxes, pairs)
    backward = [order[source] > order[target] for source, target, _ in pairs]
    try:
        if len(boxes) > _MOST_BOXES or len(links) > _MOST_LINKS:
            raise RuntimeError(f"too large: {len(boxes):,} boxes and {len(links):,} links")
        dot = _dot(boxes, links, pairs, order, backward, direction)
        return _read(graphviz.placed(dot, timeout=timeout), boxes, backward)
    except (TimeoutError, RuntimeError) as error:
        return _stand_in(boxes, links, pairs, order, direction, str(error))


def _index(boxes: Sequence[Box], links: Sequence[Link]) -> dict[str, int]:
    index = {box.id: number for number, box in enumerate(boxes)}
    if len(index) < len(boxes):
        raise ValueError("two boxes have the same id")
    missing = {end for link in links for end in (link.source, link.target)} - index.keys()
    if missing:
        raise ValueError(f"a link names a box that is not there: {min(missing)!r}")
    return index


def _order(boxes: Sequence[Box], pairs: Sequence[tuple[int, int, float]]) -> list[int]:
    """The place of each box in the flow; starts before all, ends after all."""
    ranks = {"start": 0, "end": 2}
    flow = flow_order(len(boxes), pairs)
    flow.sort(key=lambda number: ranks.get(boxes[number].kind, 1))
    places = [0] * len(boxes)
    for place, number in enumerate(flow):
        places[number] = place
    return places


def _dot(
    boxes: Sequence[Box],
    links: Sequence[Link],
    pairs: Sequence[tuple[int, int, float]],
    order: Sequence[int],
    backward: Sequence[bool],
    direction: Direction,
) -> str:
    """The graph in dot's language: numbers and sizes only, no name ever."""
    gap = 0.6 if direction == "LR" else 0.34
    lines = [
        f"digraph{{rankdir={direction};splines=true;nodesep=.3;ranksep={gap};remincross=true;"
        'node[shape=box,fixedsize=true,label=""];edge[arrowhead=none]'
    ]
    for number in sorted(range(len(boxes)), key=order.__getitem__):
        box = boxes[number]
        wide, high = box.width / _PIXELS_PER_INCH, box.height / _PIXELS_PER_INCH
        shape = _OUTLINES.get(box.kind, "box")
        node = f"{number}[width={wide:.4f},height={high:.4f},shape={shape}]"
        rank = _RANKS.get(box.kind)
        lines.append(f"{{rank={rank};{node}}}" if rank else node)
    strongest_first = sorted(range(len(links)), key=lambda i: (order[pairs[i][0]], -pairs[i][2], i))
    for number in strongest_first:
        source, target, _ = pairs[number]
        ends = f"{target}->{source}" if backward[number] else f"{source}->{target}"
        lines.append(f"{ends}[comment={number}{_room(links[number])}]")
    return ";\n".join(lines) + "}"


def _room(link: Link) -> str:
    if not link.label:
        return ""
    wide = math.ceil(width(link.label, LABEL_SIZE) + link.thickness) + 6
    high = math.ceil(LABEL_SIZE + link.thickness) + 2
    size = f'border="0" fixedsize="true" width="{wide}" height="{high}"'
    return f",label=<<table {size}><tr><td></td></tr></table>>"


def _read(graph: Mapping[str, Any], boxes: Sequence[Box], backward: Sequence[bool]) -> Layout:
    left, bottom, right, top = (float(number) for number in graph["bb"].split(","))

    def point(pair: str) -> Point:
        x, y = pair.split(",")
        return float(x) - left, top - float(y)

    centres = {
        boxes[int(node["name"])].id: point(node["pos"])
        for node in graph["objects"]
        if "pos" in node  # ranks are objects too, without a place
    }
    courses: dict[int, Course] = {}
    for edge in graph.get("edges", ()):
        number = int(edge["comment"])
        points = tuple(point(pair) for pair in edge["pos"].split())
        if backward[number]:
            points = points[::-1]
        label = point(edge["lp"]) if "lp" in edge else middle(points)
        courses[number] = Course(points, label, backward[number])
    ordered = tuple(courses[number] for number in range(len(courses)))
    return Layout(right - left, top - bottom, centres, ordered, "dot")


def _stand_in(
    boxes: Sequence[Box],
    links: Sequence[Link],
    pairs: Sequence[tuple[int, int, float]],
    order: Sequence[int],
    direction: Direction,
    note: str,
) -> Layout:
    sizes = [(box.width, box.height) for box in boxes]
    labels = [width(link.label, LABEL_SIZE) + 8 if link.label else 0.0 for link in links]
    ends = [(source, target) for source, target, _ in pairs]
    placed = layered(sizes, ends, labels, order, upright=direction == "TB")
    courses = tuple(
        Course(points, label, order[source] > order[target])
        for (points, label), (source, target) in zip(placed.courses, ends, strict=True)
    )
    centres = {box.id: centre for box, centre in zip(boxes, placed.centres, strict=True)}
    return Layout(placed.width, placed.height, centres, courses, "layered", note)


def middle(points: Sequence[Point]) -> Point:
    """The point halfway along a course, counted in curves."""
    curves = (len(points) - 1) // 3
    first = 3 * (curves // 2)
    if curves % 2 == 0:
        return points[first]
    a, b, c, d = points[first : first + 4]
    return (a[0] + 3 * b[0] + 3 * c[0] + d[0]) / 8, (a[1] + 3 * b[1] + 3 * c[1] + d[1]) / 8
