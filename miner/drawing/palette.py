"""Colours that stay readable: dark on light, light on dark, in print and to the colour-blind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

Theme = Literal["light", "dark"]

STEPS = 9
"""Strengths are shown in this many colours."""

_INKS = ("#000000", "#ffffff")


@dataclass(frozen=True)
class Palette:
    """The colours of a picture. Ramps hold `STEPS` colours, from weak to strong.

    Ramps change in lightness all along, so they can be told apart without seeing hues.
    """

    background: str
    text: str
    muted: str
    border: str
    start: str
    end: str
    sign: str
    unknown: str
    """Boxes whose value is not known."""
    neutral: str
    """Paths whose value is not known."""
    boxes: tuple[str, ...]
    inks: tuple[str, ...]
    """Text on the box of the same step."""
    paths: tuple[str, ...]
    against: tuple[str, ...]
    """Paths that run against the flow."""


_BOXES = {
    ("light", "frequency"): ("#e9f1fc", "#a9c9f3", "#5b97e0", "#2a69b8", "#123f7d"),
    ("light", "time"): ("#fff3d4", "#fdd078", "#f0902f", "#c2540f", "#712b08"),
    ("light", "failures"): ("#fdeeee", "#f6b9b6", "#e2706b", "#b5302e", "#6a1616"),
    ("dark", "frequency"): ("#172538", "#214a7c", "#3674be", "#6aa5ea", "#b4d5ff"),
    ("dark", "time"): ("#2e2414", "#6a4513", "#b06a17", "#ea9d3c", "#ffd899"),
    ("dark", "failures"): ("#301a1c", "#6b2528", "#b23e40", "#ea7b78", "#ffc2bd"),
}
_PATHS = {
    ("light", "frequency"): ("#87909d", "#58616e", "#1c232d"),
    ("light", "time"): ("#978b7b", "#b3681f", "#ad400b", "#6a2207"),
    ("dark", "frequency"): ("#636d7b", "#9aa4b2", "#eef2f7"),
    ("dark", "time"): ("#756c5f", "#b07a34", "#f0a34a", "#ffe0ad"),
}
_AGAINST = {
    "light": ("#9183cd", "#6f55bd", "#452390"),
    "dark": ("#7468ad", "#a28fe6", "#dcd2ff"),
}
_SURFACES: dict[Theme, dict[str, str]] = {
    "light": {
        "background": "#ffffff",
        "text": "#1b222c",
        "muted": "#55606e",
        "border": "#3d5a80",
        "start": "#17803d",
        "end": "#c22f2f",
        "sign": "#ffffff",
        "unknown": "#f3f5f7",
        "neutral": "#8b94a1",
    },
    "dark": {
        "background": "#0e1117",
        "text": "#f0f3f7",
        "muted": "#a3adba",
        "border": "#8fa9cc",
        "start": "#3fb868",
        "end": "#f0716b",
        "sign": "#0e1117",
        "unknown": "#1d232c",
        "neutral": "#636d7b",
    },
}


@cache
def palette(theme: Theme, show: Literal["frequency", "time", "failures"]) -> Palette:
    """The colours for `theme` and for what the map shows."""
    boxes = _ramp(_BOXES[theme, show])
    paths = _ramp(_PATHS[theme, "time" if show == "time" else "frequency"])
    against = paths if show == "time" else _ramp(_AGAINST[theme])
    inks = tuple(max(_INKS, key=lambda ink: contrast(ink, fill)) for fill in boxes)
    ramps = {"boxes": boxes, "inks": inks, "paths": paths, "against": against}
    return _filled(_SURFACES[theme].__getitem__, ramps.__getitem__)


def _filled(colour: Callable[[str], str], ramp: Callable[[str], tuple[str, ...]]) -> Palette:
    return Palette(
        background=colour("background"),
        text=colour("text"),
        muted=colour("muted"),
        border=colour("border"),
        start=colour("start"),
        end=colour("end"),
        sign=colour("sign"),
        unknown=colour("unknown"),
        neutral=colour("neutral"),
        boxes=ramp("boxes"),
        inks=ramp("inks"),
        paths=ramp("paths"),
        against=ramp("against"),
    )


def variables(colours: Palette) -> dict[str, str]:
    """Style sheet variables that carry `colours`, for `by_variables`."""
    found = {}
    for field, value in vars(colours).items():
        if isinstance(value, str):
            found[f"--{field}"] = value
        else:
            found.update({f"--{field}-{step}": colour for step, colour in enumerate(value)})
    return found


def by_variables() -> Palette:
    """A palette of references to `variables`, so that a page can change its theme."""
    return _filled(
        lambda name: f"var(--{name})",
        lambda name: tuple(f"var(--{name}-{step})" for step in range(STEPS)),
    )


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21.

    Source: Web Content Accessibility Guidelines 2.2, "contrast ratio".
    """
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (channel / 255 for channel in _channels(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _ramp(stops: Sequence[str]) -> tuple[str, ...]:
    """`STEPS` colours evenly along `stops`."""
    colours = []
    for step in range(STEPS):
        place = step / (STEPS - 1) * (len(stops) - 1)
        first = min(int(place), len(stops) - 2)
        one, other = _channels(stops[first]), _channels(stops[first + 1])
        mixed = (round(a + (b - a) * (place - first)) for a, b in zip(one, other, strict=True))
        colours.append("#" + "".join(f"{channel:02x}" for channel in mixed))
    return tuple(colours)
