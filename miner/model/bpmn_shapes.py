"""BPMN elements as SVG, light and dark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from miner.drawing.curves import path_data
from miner.drawing.text import clean, escaped, fitted
from miner.model.bpmn import CALLS, SUB_PROCESSES, TASKS
from miner.model.bpmn_diagram import Line, Shape

_FONT, _SMALL, _LEADING = 11.0, 9.5, 14.0


@dataclass(frozen=True)
class Colours:
    """What a model is drawn in; `ink` is for text on `kinds`."""

    ground: str
    text: str
    muted: str
    outline: str
    fill: str
    line: str
    lane: str
    ink: str
    kinds: Mapping[str, str]


_LIGHT = Colours(
    "#ffffff", "#1b222c", "#55606e", "#3b4758", "#f6f9fc", "#64748b", "#d5dce5", "#ffffff",
    {"skipped": "#8a5a00", "extra": "#b3261e", "swapped": "#6a3fb0", "repeated": "#1f5fae",
     "replaced": "#0f6b62"},
)  # fmt: skip
_DARK = Colours(
    "#0e1117", "#f0f3f7", "#a3adba", "#9fb0c6", "#171d27", "#8592a5", "#303948", "#0e1117",
    {"skipped": "#f2b84b", "extra": "#ff8a80", "swapped": "#c4a5ff", "repeated": "#7fb6f5",
     "replaced": "#5fd0c2"},
)  # fmt: skip


def colours_of(theme: Literal["light", "dark"]) -> Colours:
    """The colours for a theme; text on them has a contrast of at least 4.5."""
    return _DARK if theme == "dark" else _LIGHT


def drawn_shape(
    shape: Shape, colours: Colours, *, dashed: bool = False, below: bool = False
) -> str:
    """An element as a group with its name as tooltip; gateways have it `below` or above them."""
    name = clean(shape.name) if shape.name else ""
    title = escaped(name or shape.kind)
    if shape.kind in ("participant", "lane"):
        return _container(shape, name, colours)
    if shape.kind.endswith("Event"):
        body = _event(shape, colours) + _outside(shape, name, colours, down=True)
    elif shape.kind.endswith("Gateway"):
        body = _gateway(shape, colours)
        body += _outside(shape, name, colours, down=below)
    else:
        body = _box(shape, name, colours, dashed)
    known = "data-activity" if shape.kind in TASKS | CALLS else "data-terminal"
    return f'<g {known}="{escaped(shape.id)}"><title>{title}</title>{body}</g>'


def drawn_line(line: Line, colours: Colours) -> str:
    """A flow with its arrow and, near its beginning, its name."""
    if line.curved:
        data = path_data(line.points)
    else:
        data = "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in line.points)
    dash = ' stroke-dasharray="6 5"' if line.kind == "messageFlow" else ""
    (ax, ay), (x, y) = line.points[-2], line.points[-1]
    length = ((x - ax) ** 2 + (y - ay) ** 2) ** 0.5 or 1.0
    dx, dy = (x - ax) / length, (y - ay) / length
    tip = (
        f"M{x:.1f},{y:.1f}L{x - 9 * dx - 4 * dy:.1f},{y - 9 * dy + 4 * dx:.1f}"
        f"L{x - 9 * dx + 4 * dy:.1f},{y - 9 * dy - 4 * dx:.1f}Z"
    )
    ends = f'data-from="{escaped(line.source)}" data-to="{escaped(line.target)}"'
    return (
        f'<g {ends}><path d="{data}" fill="none" stroke="{colours.line}" stroke-width="1.6"{dash}/>'
        f'<path d="{tip}" fill="{colours.line}"/>{_named(line, colours)}</g>'
    )


def _named(line: Line, colours: Colours) -> str:
    if not line.name:
        return ""
    (x, y), (bx, by) = line.points[0], line.points[3 if line.curved else 1]
    name = clean(line.name)
    across = abs(bx - x) >= abs(by - y)
    room = max(36.0, abs(bx - x) - 14) if across else 130.0
    (text, *_) = fitted(name, _SMALL, room, lines=1)
    if across:
        anchor = "start" if bx >= x else "end"
        at = x + (7 if bx >= x else -7), y - 6
    else:
        anchor, at = "start", (x + 6, y + (16 if by >= y else -10))
    return (
        f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" text-anchor="{anchor}" font-size="{_SMALL}" '
        f'fill="{colours.muted}">{escaped(text)}<title>{escaped(name)}</title></text>'
    )


def _container(shape: Shape, name: str, colours: Colours) -> str:
    x, y = shape.x + 15, shape.y + shape.height / 2
    (text, *_) = fitted(name, _FONT, max(30.0, shape.height - 10), lines=1) or [""]
    return (
        f'<g><title>{escaped(name)}</title><rect x="{shape.x:.1f}" y="{shape.y:.1f}" '
        f'width="{shape.width:.1f}" height="{shape.height:.1f}" fill="none" '
        f'stroke="{colours.lane}" stroke-width="1.5"/><text transform="translate({x:.1f},{y:.1f}) '
        f'rotate(-90)" y="4" text-anchor="middle" font-size="{_FONT}" fill="{colours.muted}">'
        f"{escaped(text)}</text></g>"
    )


def _box(shape: Shape, name: str, colours: Colours, dashed: bool) -> str:
    stroke = colours.kinds["skipped"] if dashed else colours.outline
    wide = 2.4 if dashed else 4.0 if shape.kind in CALLS else 1.5
    dash = ' stroke-dasharray="7 4"' if dashed else ""
    fill = "none" if shape.expanded else colours.fill
    body = (
        f'<rect x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.width:.1f}" '
        f'height="{shape.height:.1f}" rx="9" fill="{fill}" stroke="{stroke}" '
        f'stroke-width="{wide}"{dash}/>'
    )
    x, y = shape.centre
    if shape.expanded:
        (text, *_) = fitted(name, _FONT, max(30.0, shape.width - 16), lines=1) or [""]
        return body + _line_of(text, x, shape.y + 17, colours.muted)
    lines = fitted(name, _FONT, shape.width - 10, lines=max(1, int((shape.height - 20) // 14)))
    top = y - (len(lines) - 1) * _LEADING / 2 + _FONT * 0.35
    text = "".join(
        _line_of(line, x, top + number * _LEADING, colours.text)
        for number, line in enumerate(lines)
    )
    return body + text + _loop(shape, colours)


def _loop(shape: Shape, colours: Colours) -> str:
    x, y = shape.centre[0], shape.y + shape.height - 11
    closed = "closed" if shape.kind in SUB_PROCESSES else ""
    sign = _REPEATS.get(shape.loop or closed)
    return _stroke(sign, colours, 1.6, x, y) if sign else ""


_REPEATS = {
    "loop": "M4-3a5 5 0 1 0 1 4l-3-1",
    "parallel": "M-4-5v10M0-5v10M4-5v10",
    "sequential": "M-5-4h10M-5 0h10M-5 4h10",
    "closed": "M-6-6h12v12h-12zM-3 0h6M0-3v6",
}
"""What is drawn at the foot of a task or a closed sub-process."""


def _event(shape: Shape, colours: Colours) -> str:
    (x, y), half = shape.centre, min(shape.width, shape.height) / 2
    bold = 3.6 if shape.kind == "endEvent" else 1.5
    dash = "" if shape.interrupting else ' stroke-dasharray="5 3"'
    body = (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{half:.1f}" fill="{colours.ground}" '
        f'stroke="{colours.outline}" stroke-width="{bold}"{dash}/>'
    )
    if shape.kind in ("intermediateCatchEvent", "intermediateThrowEvent", "boundaryEvent"):
        body += (
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{half - 3.5:.1f}" fill="none" '
            f'stroke="{colours.outline}" stroke-width="1.3"{dash}/>'
        )
    sign = _TRIGGERS.get(shape.trigger)
    return body + (_stroke(sign, colours, 1.5, x, y) if sign else "")


_TRIGGERS = {
    "timer": "M0-9A9 9 0 1 1-.1-9M0-5V0L4 2",
    "message": "M-8-5H8V5H-8ZL0 1L8-5",
    "error": "M-7 7L-3-4L2 2L7-7L3 5L-2-1Z",
    "signal": "M0-8L8 6H-8Z",
    "compensate": "M0-6L-8 0L0 6ZM8-6L0 0L8 6Z",
    "escalation": "M0-8L7 7L0 1L-7 7Z",
    "terminate": "M-5 0A5 5 0 1 1 5 0A5 5 0 1 1-5 0Z",
    "conditional": "M-6-8H6V8H-6ZM-4-4H4M-4 0H4M-4 4H4",
    "link": "M-8-3H2V-7L9 0L2 7V3H-8Z",
    "cancel": "M-6-6L6 6M6-6L-6 6",
    "multiple": "M0-8L8-2L5 7H-5L-8-2Z",
}
"""What is drawn inside an event, around its centre."""

_GATEWAYS = {
    "exclusiveGateway": "M-8-8L8 8M8-8L-8 8",
    "parallelGateway": "M-11 0H11M0-11V11",
    "inclusiveGateway": "M-10 0a10 10 0 1 0 20 0a10 10 0 1 0-20 0",
    "eventBasedGateway": "M-12 0a12 12 0 1 0 24 0a12 12 0 1 0-24 0M0-7L7-2L4 6H-4L-7-2Z",
    "complexGateway": "M-11 0H11M0-11V11M-8-8L8 8M8-8L-8 8",
}


def _gateway(shape: Shape, colours: Colours) -> str:
    (x, y), across, down = shape.centre, shape.width / 2, shape.height / 2
    body = (
        f'<path d="M{x:.1f},{y - down:.1f}L{x + across:.1f},{y:.1f}L{x:.1f},{y + down:.1f}'
        f'L{x - across:.1f},{y:.1f}Z" fill="{colours.ground}" stroke="{colours.outline}" '
        'stroke-width="1.5"/>'
    )
    wide = 1.5 if shape.kind == "eventBasedGateway" else 2.6
    sign = _GATEWAYS.get(shape.kind)
    return body + (_stroke(sign, colours, wide, x, y) if sign else "")


def _stroke(data: str, colours: Colours, wide: float, x: float = 0.0, y: float = 0.0) -> str:
    placed = f' transform="translate({x:.1f},{y:.1f})"' if x or y else ""
    return (
        f'<path d="{data}"{placed} fill="none" stroke="{colours.outline}" stroke-width="{wide}"/>'
    )


def _outside(shape: Shape, name: str, colours: Colours, *, down: bool) -> str:
    if not name:
        return ""
    lines = fitted(name, _SMALL, 96, lines=2)
    first = shape.y + shape.height + 13 if down else shape.y - 7 - (len(lines) - 1) * 11
    return "".join(
        _line_of(line, shape.centre[0], first + number * 11, colours.muted, _SMALL)
        for number, line in enumerate(lines)
    )


def _line_of(text: str, x: float, y: float, colour: str, size: float = _FONT) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" font-size="{size}" fill="{colour}">'
        f"{escaped(text)}</text>"
    )
