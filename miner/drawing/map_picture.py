"""Marks and a layout in, SVG out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from miner.discovery.process_map import ProcessMap
from miner.drawing.curves import arrow, path_data, shortened
from miner.drawing.layout import LABEL_SIZE, Box, Course, Direction, Layout, layout
from miner.drawing.map_marks import (
    FIGURE_SIZE,
    LINE_HEIGHT,
    NAME_SIZE,
    START,
    BoxMark,
    Marks,
    PathMark,
    Scale,
    Show,
    marks,
)
from miner.drawing.palette import STEPS, Palette
from miner.drawing.text import escaped, width

FONTS = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"
MARGIN = 18.0

_EMPTY = "No activities in this selection"
_LEGEND_SIZE = 11.5
_LEGEND_LINE = 22.0
_LEGEND_GAP = 20.0
_NARROWEST_LEGEND = 520.0
_SWATCH = 9.0


@dataclass(frozen=True)
class Piece:
    """A part of a picture: SVG elements with the origin at the top left, and their size."""

    svg: str
    width: float
    height: float


def pieces(
    process_map: ProcessMap, show: Show, colours: Palette, direction: Direction, timeout: float
) -> tuple[list[Piece], str]:
    """The legend and the drawing of a map, and what it says of itself; a map without activities
    is one piece."""
    found = marks(process_map, show)
    label = f"Process map, {found.extent}"
    if process_map.activities.is_empty():
        return [_empty(colours)], label
    boxes = [*found.terminals, *(mark.box for mark in found.boxes)]
    placed = layout(boxes, [p.link for p in found.paths], direction=direction, timeout=timeout)
    notes = [f"plain layout ({placed.note})"] if placed.engine == "layered" else []
    return [legend(found, colours, placed.width, notes), drawing(found, placed, colours)], label


def _empty(colours: Palette) -> Piece:
    words = f'<text y="20" font-size="14" fill="{colours.muted}">{_EMPTY}</text>'
    return Piece(words, width(_EMPTY, 14), 30)


def svg(pieces: Sequence[Piece], colours: Palette, label: str) -> str:
    """The pieces below each other as one SVG document, on the palette's background."""
    wide = math.ceil(max(piece.width for piece in pieces) + 2 * MARGIN)
    top = MARGIN
    shown = []
    for piece in pieces:
        left = (wide - piece.width) / 2 if piece is not pieces[0] else MARGIN
        shown.append(f'<g transform="translate({left:.1f},{top:.1f})">{piece.svg}</g>')
        top += piece.height + MARGIN
    high = math.ceil(top)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" '
        f'viewBox="0 0 {wide} {high}" role="img" aria-label="{escaped(label)}" '
        f'font-family="{FONTS}" fill="{colours.text}">'
        f'<rect width="100%" height="100%" fill="{colours.background}"/>{"".join(shown)}</svg>'
    )


def drawing(found: Marks, placed: Layout, colours: Palette) -> Piece:
    """The map itself: paths, weak ones first, then boxes, then the labels of the paths.

    Boxes cover the ends of paths only, because the layout leads paths around boxes.
    """
    both = list(zip(found.paths, placed.courses, strict=True))
    both.sort(key=lambda pair: pair[0].thickness)
    paths = "".join(_path(mark, course, colours) for mark, course in both)
    boxes = "".join(_box(mark, placed.centres[mark.id], colours) for mark in found.boxes)
    ends = "".join(_terminal(box, placed.centres[box.id], colours) for box in found.terminals)
    labels = "".join(_label(mark, course, colours) for mark, course in both if mark.label)
    parts = (
        f'<g data-part="paths" fill="none" stroke-linejoin="round">{paths}</g>'
        f'<g data-part="boxes">{boxes}{ends}</g>'
        f'<g data-part="labels" text-anchor="middle" font-size="{LABEL_SIZE:g}">{labels}</g>'
    )
    return Piece(parts, placed.width, placed.height)


def _path(mark: PathMark, course: Course, colours: Palette) -> str:
    ramp = colours.against if course.against_flow else colours.paths
    colour = colours.neutral if mark.strength is None else ramp[_step(mark.strength)]
    thick = mark.thickness
    line = shortened(course.points, 5.5 + 1.5 * thick)
    dashes = f' stroke-dasharray="{5 + thick:.1f} {3 + thick / 2:.1f}"'
    return (
        f'<g data-from="{mark.source}" data-to="{mark.target}">'
        f"<title>{escaped(mark.title)}</title>"
        f'<path d="{path_data(line)}" stroke="{colour}" stroke-width="{thick:.2f}"'
        f"{dashes if course.against_flow else ''}/>"
        f'<path d="{arrow(line[-1], course.points[-1], 2.6 + 0.95 * thick)}" fill="{colour}"/></g>'
    )


def _label(mark: PathMark, course: Course, colours: Palette) -> str:
    x, y = course.label
    return (
        f'<text x="{x:.1f}" y="{y + LABEL_SIZE * 0.35:.1f}" data-from="{mark.source}" '
        f'data-to="{mark.target}" stroke="{colours.background}" stroke-width="3" '
        f'stroke-linejoin="round" paint-order="stroke">{escaped(mark.label)}</text>'
    )


def _box(mark: BoxMark, centre: tuple[float, float], colours: Palette) -> str:
    box = mark.box
    left, top = centre[0] - box.width / 2, centre[1] - box.height / 2
    if mark.strength is None:
        fill, ink = colours.unknown, colours.text
    else:
        fill, ink = colours.boxes[_step(mark.strength)], colours.inks[_step(mark.strength)]
    first = top + LINE_HEIGHT + 2
    lines = "".join(
        f'<text x="{centre[0]:.1f}" y="{first + LINE_HEIGHT * number:.1f}">{escaped(line)}</text>'
        for number, line in enumerate(mark.lines)
    )
    figure_at = first + LINE_HEIGHT * len(mark.lines)
    return (
        f'<g data-activity="{mark.id}"><title>{escaped(mark.title)}</title>'
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" '
        f'rx="8" fill="{fill}" stroke="{colours.border}"/>'
        f'<g fill="{ink}" text-anchor="middle" font-size="{NAME_SIZE:g}" font-weight="600">'
        f'{lines}<text x="{centre[0]:.1f}" y="{figure_at:.1f}" font-size="{FIGURE_SIZE:g}" '
        f'font-weight="400">{escaped(mark.figure)}</text></g></g>'
    )


def _terminal(box: Box, centre: tuple[float, float], colours: Palette) -> str:
    x, y = centre
    start = box.kind == START
    sign = (
        f"M{x - 3.5:.1f},{y - 5:.1f}L{x + 5.5:.1f},{y:.1f}L{x - 3.5:.1f},{y + 5:.1f}Z"
        if start
        else f"M{x - 4:.1f},{y - 4:.1f}h8v8h-8Z"
    )
    return (
        f'<g data-terminal="{box.id}"><title>{"Case starts" if start else "Case ends"}</title>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{box.width / 2 - 0.5:.1f}" '
        f'fill="{colours.start if start else colours.end}"/>'
        f'<path d="{sign}" fill="{colours.sign}"/></g>'
    )


def _step(strength: float) -> int:
    return round(strength * (STEPS - 1))


def legend(found: Marks, colours: Palette, room: float, notes: Sequence[str] = ()) -> Piece:
    """What the map shows and how much of the whole, in lines at most `room` wide if that is not
    very narrow."""
    limit = max(room, _NARROWEST_LEGEND)
    items = list(_legend_items(found, colours, notes))
    parts, x, y, widest = [], 0.0, 0.0, 0.0
    for item, wide in items:
        if x and x + wide > limit:
            x, y = 0.0, y + _LEGEND_LINE
        parts.append(f'<g transform="translate({x:.1f},{y:.1f})">{item}</g>')
        x += wide + _LEGEND_GAP
        widest = max(widest, x - _LEGEND_GAP)
    body = f'<g data-part="legend" font-size="{_LEGEND_SIZE}">{"".join(parts)}</g>'
    return Piece(body, widest, y + _LEGEND_LINE)


def _legend_items(
    found: Marks, colours: Palette, notes: Sequence[str]
) -> Iterator[tuple[str, float]]:
    yield _words(0, found.extent, colours.text, "600"), width(found.extent, _LEGEND_SIZE, bold=True)
    yield _ramp(f"box colour = {found.box_scale.meaning}", found.box_scale, colours.boxes, colours)
    path_meaning = f"path colour = {found.path_scale.meaning}"
    if found.path_scale.meaning == found.thickness:
        path_meaning = f"path colour and width = {found.thickness}"
    else:
        text = f"path width = {found.thickness}"
        yield _words(0, text, colours.muted), width(text, _LEGEND_SIZE)
    yield _ramp(path_meaning, found.path_scale, colours.paths, colours)
    yield _dashes("against the flow", colours)
    for note in notes:
        yield _words(0, note, colours.end, "600"), width(note, _LEGEND_SIZE, bold=True)


def _words(x: float, text: str, colour: str, weight: str = "400") -> str:
    return f'<text x="{x:.1f}" y="14" fill="{colour}" font-weight="{weight}">{escaped(text)}</text>'


def _ramp(words: str, scale: Scale, ramp: Sequence[str], colours: Palette) -> tuple[str, float]:
    parts = [_words(0, words, colours.muted)]
    x = width(words, _LEGEND_SIZE) + 7
    if scale.high:
        parts.append(_words(x, scale.low, colours.text))
        x += width(scale.low, _LEGEND_SIZE) + 5
        for step, colour in enumerate(ramp):
            at = x + step * _SWATCH
            parts.append(
                f'<rect x="{at:.1f}" y="5" width="{_SWATCH}" height="10" fill="{colour}"/>'
            )
        x += len(ramp) * _SWATCH + 5
        parts.append(_words(x, scale.high, colours.text))
        x += width(scale.high, _LEGEND_SIZE)
    return "".join(parts), x


def _dashes(words: str, colours: Palette) -> tuple[str, float]:
    line = (
        f'<path d="M0,10H36" stroke="{colours.against[STEPS // 2]}" stroke-width="2.5" '
        'stroke-dasharray="7.5 4.2" fill="none"/>'
    )
    return line + _words(43, words, colours.muted), 43 + width(words, _LEGEND_SIZE)
