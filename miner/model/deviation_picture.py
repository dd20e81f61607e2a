"""A modelled workflow drawn with what deviates from it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from miner.drawing.text import clean, escaped, width
from miner.drawing.words import counted
from miner.model.bpmn_diagram import BpmnDiagram, Line, Shape
from miner.model.bpmn_shapes import Colours, colours_of, drawn_line, drawn_shape

Theme = Literal["light", "dark"]

PLACED_DEVIATIONS = pl.Schema(
    {
        "kind": pl.String(),
        "activity": pl.String(),
        "element_id": pl.String(),
        "place": pl.String(),
        "cases": pl.Int64(),
    }
)
"""Deviations by where they show: at the element of the model where there is one, else at the
activity `place`. What came extra shows behind it, and at the start where it is null."""

SIGNS = {"skipped": "−", "extra": "+", "swapped": "⇄", "repeated": "↻", "replaced": "≠"}
WORDS = {
    "skipped": "not done",
    "extra": "done, not modelled there",
    "swapped": "done out of order",
    "repeated": "done again",
    "replaced": "something else done instead",
}
_CORNERS = {"skipped": (0.0, 0.0), "swapped": (1.0, 0.0), "repeated": (1.0, 1.0),
            "replaced": (0.0, 1.0)}  # fmt: skip
_SIZE, _HIGH = 11.0, 19.0
_LEGEND_WIDTH = 720.0


@dataclass(frozen=True)
class DeviationPicture:
    """SVG of the model with its deviations, and of the legend; `extent` is what it shows."""

    stage: str
    legend: str
    extent: str


def deviation_picture(
    drawn: BpmnDiagram, placed: pl.DataFrame, *, theme: Theme = "light", name: str = "Model"
) -> DeviationPicture:
    """`drawn` with a badge for each deviation: a sign, and in how many cases.

    `placed` has the columns of `PLACED_DEVIATIONS`. Elements that were skipped have a dashed
    outline. Badges of what came extra stand on the flow behind the activity that it came after.
    Signs, places and colours differ by kind, so that colours alone tell nothing. What is in an
    element that is not drawn shows at the one it is in. Needs no font or script from elsewhere.
    """
    colours = colours_of(theme)
    marks, lost = _marks(drawn, placed)
    skipped = {shape for shape, kind in marks if kind == "skipped"}
    crowded = _crowded(drawn)
    boxes = [shape for shape in drawn.shapes if not _is_flow_node(shape)]
    nodes = [shape for shape in drawn.shapes if _is_flow_node(shape)]
    parts = [
        *(drawn_shape(shape, colours) for shape in boxes),
        *(drawn_shape(shape, colours) for shape in nodes if shape.expanded),
        *(drawn_line(line, colours) for line in drawn.lines),
        *(
            drawn_shape(shape, colours, dashed=shape.id in skipped, below=shape.id in crowded)
            for shape in nodes
            if not shape.expanded
        ),
        *_badges(drawn, marks, colours),
    ]
    label = f"{clean(name)}: {_extent(marks)}"
    stage = _svg(parts, drawn.width, drawn.height, label, colours)
    present = {kind for _, kind in marks}
    items = _legend([kind for kind in SIGNS if kind in present], drawn, lost, colours)
    return DeviationPicture(stage, items, _extent(marks))


_Marks = dict[tuple[str, str], list[tuple[str, int]]]
"""For each shape and kind, the activities with their cases, most cases first."""


def _marks(drawn: BpmnDiagram, placed: pl.DataFrame) -> tuple[_Marks, int]:
    """What to mark where, and how many rows of `placed` have no place on the picture."""
    shapes = {shape.id: shape for shape in drawn.shapes}
    by_name: dict[str, str] = {}
    for shape in drawn.shapes:
        by_name.setdefault(shape.name, shape.id)
    start = next((s.id for s in drawn.shapes if s.kind == "startEvent"), None)
    found: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    lost = 0
    for row in placed.iter_rows(named=True):
        element = row["element_id"]
        place = drawn.within.get(element, element)
        if place not in shapes:
            place = by_name.get(row["place"])
        if row["kind"] == "extra" and row["place"] is None:
            place = start
        if place is None or row["kind"] not in SIGNS:
            lost += 1
            continue
        names = found[place, row["kind"]]
        names[row["activity"]] = names.get(row["activity"], 0) + row["cases"]
    ordered = {
        key: sorted(names.items(), key=lambda pair: (-pair[1], pair[0]))
        for key, names in found.items()
    }
    return ordered, lost


def _is_flow_node(shape: Shape) -> bool:
    return shape.kind not in ("participant", "lane")


def _crowded(drawn: BpmnDiagram) -> set[str]:
    """The shapes that a line meets at the top, so that nothing can be written there."""
    tops = {shape.id: (shape.centre[0], shape.y) for shape in drawn.shapes}
    found = set()
    for line in drawn.lines:
        for shape, (x, y) in ((line.source, line.points[0]), (line.target, line.points[-1])):
            at = tops.get(shape)
            if at is not None and abs(x - at[0]) < 8 and abs(y - at[1]) < 8:
                found.add(shape)
    return found


def _badges(drawn: BpmnDiagram, marks: _Marks, colours: Colours) -> Iterable[str]:
    shapes = {shape.id: shape for shape in drawn.shapes}
    leaving: dict[str, list[Line]] = defaultdict(list)
    for line in drawn.lines:
        leaving[line.source].append(line)
    for (place, kind), activities in marks.items():
        shape = shapes[place]
        if kind == "extra":
            x, y = _behind(shape, leaving[place])
        else:
            right, low = _CORNERS[kind]
            x, y = shape.x + right * shape.width, shape.y + low * shape.height
        yield _badge(kind, activities, x, y, colours, shape)


def _behind(shape: Shape, lines: list[Line]) -> tuple[float, float]:
    """Where what came after a shape is shown: on the flow out of it, else beside it."""
    if not lines:
        return shape.x + shape.width + 26, shape.centre[1]
    x, y = lines[0].points[0]
    following = lines[0].points[3 if lines[0].curved else 1]
    if abs(following[0] - x) >= abs(following[1] - y):
        step = min(28.0, abs(following[0] - x) / 2) * (1 if following[0] >= x else -1)
        return x + step, y
    return x, y + min(24.0, abs(following[1] - y) / 2) * (1 if following[1] >= y else -1)


def _badge(
    kind: str, activities: list[tuple[str, int]], x: float, y: float, colours: Colours, at: Shape
) -> str:
    cases = sum(number for _, number in activities)
    text = f"{SIGNS[kind]} {counted(cases)}"
    wide = width(text, _SIZE, bold=True) + 11
    told = "\n".join(f"{clean(name)}: {counted(number)} cases" for name, number in activities[:12])
    where = clean(at.name) if at.name else "here"
    heading = f"{WORDS[kind].capitalize()}, {'after' if kind == 'extra' else 'at'} {where}"
    fill = colours.kinds[kind]
    return (
        f'<g data-deviation="{kind}" data-at="{escaped(at.id)}">'
        f"<title>{escaped(heading)}\n{escaped(told)}</title>"
        f'<rect x="{x - wide / 2:.1f}" y="{y - _HIGH / 2:.1f}" width="{wide:.1f}" height="{_HIGH}" '
        f'rx="{_HIGH / 2 if kind == "extra" else 4}" fill="{fill}" stroke="{colours.ground}" '
        f'stroke-width="1.5"/><text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" '
        f'font-size="{_SIZE}" font-weight="700" fill="{colours.ink}">{escaped(text)}</text></g>'
    )


def _extent(marks: Mapping[tuple[str, str], object]) -> str:
    if not marks:
        return "nothing deviates from it"
    places = len({place for place, _ in marks})
    return f"deviations at {places} place{'s' * (places != 1)}"


def _legend(kinds: list[str], drawn: BpmnDiagram, lost: int, colours: Colours) -> str:
    items = [_key(kind, colours) for kind in kinds]
    notes = ["Numbers are cases; point at one to see which activities."] if kinds else []
    if "skipped" in kinds:
        notes.append("Dashed: left out in some cases.")
    if drawn.drawn_by == "layout":
        notes.append("The definition has no drawing of its own; this one was laid out.")
    if lost:
        notes.append(f"{lost} without a place on the picture: see the table.")
    items += [
        (f'<text y="14" fill="{colours.muted}">{escaped(note)}</text>', width(note, 12))
        for note in notes
    ]
    parts, x, y = [], 0.0, 0.0
    for body, wide in items:
        if x and x + wide > _LEGEND_WIDTH:
            x, y = 0.0, y + 24
        parts.append(f'<g transform="translate({x + 12:.1f},{y + 12:.1f})">{body}</g>')
        x += wide + 20
    return _svg(parts, _LEGEND_WIDTH + 24, y + 42, "Legend", colours)


def _key(kind: str, colours: Colours) -> tuple[str, float]:
    words = WORDS[kind]
    body = (
        f'<rect x="0" y="1" width="22" height="17" rx="{8.5 if kind == "extra" else 4}" '
        f'fill="{colours.kinds[kind]}"/><text x="11" y="14" text-anchor="middle" '
        f'font-weight="700" fill="{colours.ink}">{SIGNS[kind]}</text>'
        f'<text x="28" y="14" fill="{colours.text}">{words}</text>'
    )
    return body, 28 + width(words, 12)


def _svg(parts: Iterable[str], wide: float, high: float, label: str, colours: Colours) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide:.0f}" height="{high:.0f}" '
        f'viewBox="0 0 {wide:.0f} {high:.0f}" role="img" aria-label="{escaped(label)}" '
        'font-family="\'DejaVu Sans\',Verdana,sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="{colours.ground}"/>{"".join(parts)}</svg>'
    )
