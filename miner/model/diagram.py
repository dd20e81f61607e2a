"""BPMN diagrams: elements and sequence flows, with their places on the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["start", "end", "task", "exclusive", "parallel", "inclusive"]
Point = tuple[float, float]

SIZES: dict[Kind, tuple[float, float]] = {
    "start": (36, 36),
    "end": (36, 36),
    "task": (100, 80),
    "exclusive": (50, 50),
    "parallel": (50, 50),
    "inclusive": (50, 50),
}
"""Width and height in pixels of each kind of element, as BPMN tools draw them."""


@dataclass(frozen=True)
class Element:
    """An event, a task or a gateway; `centre` in pixels, y grows downwards."""

    id: str
    kind: Kind
    name: str
    centre: Point

    @property
    def corner(self) -> Point:
        """The top left corner."""
        width, height = SIZES[self.kind]
        return self.centre[0] - width / 2, self.centre[1] - height / 2


@dataclass(frozen=True)
class Flow:
    """A sequence flow between two elements, by their ids; it runs straight between `points`."""

    id: str
    source: str
    target: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Diagram:
    """A BPMN process with one start and one end event; the origin is the top left corner."""

    elements: tuple[Element, ...]
    flows: tuple[Flow, ...]
    width: float
    height: float


MARGIN = 40.0
"""Pixels kept free around a diagram."""
