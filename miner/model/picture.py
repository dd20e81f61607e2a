"""Process models as SVG pictures."""

from __future__ import annotations

from miner.drawing.text import clean, escaped, fitted
from miner.model.diagram import SIZES, Diagram, Element, Flow, Point
from miner.model.model_diagram import model_diagram
from miner.model.process_model import ProcessModel

_INK = "#1f2937"
_LINE = "#64748b"
_FILL = "#ffffff"
_FONT = 11.0
_LEADING = 14.0
_STYLE = (
    f"text{{font:{_FONT:g}px 'DejaVu Sans',Verdana,sans-serif;fill:{_INK};text-anchor:middle}}"
    f".f{{fill:none;stroke:{_LINE};stroke-width:1.5}}"
    f".s{{fill:{_FILL};stroke:{_INK};stroke-width:1.5}}"
    f".m{{fill:none;stroke:{_INK};stroke-width:3}}"
)
_MARKS = {
    "exclusive": "M-8-8L8 8M8-8L-8 8",
    "parallel": "M-11 0H11M0-11V11",
    "inclusive": "M-10 0a10 10 0 1 0 20 0a10 10 0 1 0-20 0",
}
"""What is drawn inside each kind of gateway, around its centre."""


def model_svg(model: ProcessModel) -> str:
    """`model` as an SVG picture in BPMN shapes, white ground, width and height in pixels.

    Needs no font, script or style from elsewhere. Names that do not fit into a task are cut; the
    whole name is its tooltip. Raises InputError where `model_diagram` does.
    """
    drawn = model_diagram(model)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{drawn.width:g}" '
        f'height="{drawn.height:g}" viewBox="0 0 {drawn.width:g} {drawn.height:g}" role="img" '
        f'aria-label="{escaped(clean(model.name))}">',
        f"<style>{_STYLE}</style>",
        '<defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path d="M0 0L10 5L0 10z" fill="{_LINE}"/></marker>'
        "</defs>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        *map(_flow, drawn.flows),
        *_elements(drawn),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _flow(flow: Flow) -> str:
    points = " ".join(f"{x:g},{y:g}" for x, y in flow.points)
    return f'<polyline class="f" marker-end="url(#arrow)" points="{points}"/>'


def _elements(drawn: Diagram) -> list[str]:
    return [_task(e) if e.kind == "task" else _symbol(e) for e in drawn.elements]


def _task(element: Element) -> str:
    (x, y), (width, height) = element.corner, SIZES["task"]
    name = clean(element.name)
    lines = fitted(name, _FONT, width - 8, lines=5)
    return (
        f'<g><title>{escaped(name)}</title><rect class="s" x="{x:g}" y="{y:g}" '
        f'width="{width:g}" height="{height:g}" rx="10"/>{_text(lines, element.centre)}</g>'
    )


def _text(lines: list[str], centre: Point) -> str:
    top = centre[1] - (len(lines) - 1) * _LEADING / 2 + _FONT * 0.35
    return "".join(
        f'<text x="{centre[0]:g}" y="{top + number * _LEADING:g}">{escaped(line)}</text>'
        for number, line in enumerate(lines)
    )


def _symbol(element: Element) -> str:
    x, y = element.centre
    half = SIZES[element.kind][0] / 2
    if element.kind in _MARKS:
        return (
            f'<g transform="translate({x:g},{y:g})"><path class="s" '
            f'd="M0-{half:g}L{half:g} 0L0 {half:g}L-{half:g} 0z"/>'
            f'<path class="m" d="{_MARKS[element.kind]}"/></g>'
        )
    bold = ' style="stroke-width:4"' if element.kind == "end" else ""
    return f'<circle class="s" cx="{x:g}" cy="{y:g}" r="{half:g}"{bold}/>'
