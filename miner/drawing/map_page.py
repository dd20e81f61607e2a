"""The process map as one page that needs no network."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files
from itertools import product
from typing import Any

from miner.discovery.process_map import ProcessMap, opening_view, simplify
from miner.drawing.layout import Direction
from miner.drawing.map_marks import Show
from miner.drawing.map_picture import FONTS, Piece, pieces
from miner.drawing.palette import by_variables, palette, variables
from miner.drawing.text import clean, escaped

_EDGE = 12


@dataclass(frozen=True)
class _Views:
    """Steps of the two sliders, the view of each pair of steps, and the drawn views as HTML."""

    activities: list[float]
    paths: list[float]
    steps: list[dict[str, Any]]
    drawn: list[str]


def map_html(
    process_map: ProcessMap,
    *,
    show: Show = "frequency",
    title: str = "Process map",
    direction: Direction = "TB",
    timeout: float = 10.0,
) -> str:
    """The whole map as a page to pan, zoom and search, with sliders for activities and paths.

    The page holds up to twelve views laid out beforehand; the sliders show the nearest and say so.
    It opens with `opening_view`. It follows the reader's choice of light or dark, works without
    scripts (then it shows the opening view), loads nothing, and forbids itself to. `timeout`
    bounds the layout of each view.

    `process_map` should be the whole map, not a simplified one.
    """
    opening = opening_view(process_map)
    views = _views(process_map, opening, show, direction, timeout)
    data = {"activities": views.activities, "paths": views.paths, "views": views.steps}
    script = _asset("map.js")
    style = _style(show)
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    heading = escaped(clean(title))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{heading}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{heading}</h1>
{_slider("activities", "Activities", opening[0])}
{_slider("paths", "Paths", opening[1])}
<label><input id="find" type="search" placeholder="Find activity" aria-label="Find activity">
<output id="found" for="find"></output></label>
<span><button id="in" type="button" aria-label="Zoom in">+</button>
<button id="out" type="button" aria-label="Zoom out">&minus;</button>
<button id="fit" type="button">Fit</button></span>
</header>
<noscript>Without scripts only the opening view is shown.</noscript>
<p id="note" role="status"></p>
<main>{"".join(views.drawn)}</main>
<script type="application/json" id="views">{_embedded(data)}</script>
<script>{script}</script>
</body>
</html>
"""


def _views(
    process_map: ProcessMap,
    opening: tuple[float, float],
    show: Show,
    direction: Direction,
    timeout: float,
) -> _Views:
    activities, paths = _steps(opening[0], 3), _steps(opening[1], 4)
    colours = by_variables()
    numbers: dict[tuple[Any, ...], int] = {}
    drawn: list[tuple[list[Piece], str]] = []
    steps: list[dict[str, Any]] = []
    for shares in product(activities, paths):
        shown = simplify(process_map, activities=shares[0], paths=shares[1])
        same = (*shown.activities["activity"], *shown.paths.rows())
        number = numbers.setdefault(same, len(numbers))
        if number == len(drawn):
            drawn.append(pieces(shown, show, colours, direction, timeout))
        steps.append({"view": number, "extent": drawn[number][1]})
    opens = steps[activities.index(opening[0]) * len(paths) + paths.index(opening[1])]["view"]
    views = [
        _view(number, parts, label, "" if number == opens else " hidden")
        for number, (parts, label) in enumerate(drawn)
    ]
    return _Views(activities, paths, steps, views)


def _steps(opening: float, count: int) -> list[float]:
    """`count` shares up to 1, the opening one among them."""
    if not 0 < opening < 1:
        return [step / (count - 1) for step in range(count)]
    below = [0.0] if count > 3 else []
    above = count - len(below) - 1
    return [*below, *(opening + (1 - opening) * step / above for step in range(above)), 1.0]


def _view(number: int, parts: list[Piece], label: str, state: str) -> str:
    shown = []
    for part, role in zip(parts, ("legend", "stage"), strict=False):
        box = f"{-_EDGE} {-_EDGE} {part.width + 2 * _EDGE:.0f} {part.height + 2 * _EDGE:.0f}"
        size = (
            f'width="{part.width:.0f}" height="{part.height:.0f}"'
            if role == "legend"
            else f'viewBox="{box}" data-width="{part.width:.1f}" data-height="{part.height:.1f}" '
            'class="stage" tabindex="0"'
        )
        shown.append(
            f'<svg {size} role="img" aria-label="{escaped(label)}" font-family="{FONTS}" '
            f'fill="var(--text)">{part.svg}</svg>'
        )
    return f'<div class="view" id="view-{number}"{state}>{"".join(shown)}</div>'


def _slider(name: str, words: str, share: float) -> str:
    return (
        f'<label>{words} <input id="{name}" type="range" min="0" max="100" '
        f'value="{round(100 * share)}" aria-describedby="note">'
        f'<output id="{name}-shown" for="{name}"></output></label>'
    )


def _style(show: Show) -> str:
    def block(theme: str, colours: dict[str, str]) -> str:
        return f":root{{color-scheme:{theme};" + ";".join(map(":".join, colours.items())) + "}"

    light = block("light", variables(palette("light", show)))
    dark = block("dark", variables(palette("dark", show)))
    return f"{light}@media screen and (prefers-color-scheme:dark){{{dark}}}\n{_asset('map.css')}"


def _asset(name: str) -> str:
    return files("miner.drawing").joinpath("page", name).read_text("utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _embedded(data: dict[str, Any]) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
