"""From a definition, in whatever language, to the one workflow net."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from miner.model.process_model import ProcessModel

Seen = Callable[[str, str], Literal["id", "name"] | None]
"""By what a log tells of an element of a model, given the element's name and id."""


@dataclass(frozen=True)
class Remark:
    """Something in a definition that its net does not say exactly."""

    element_id: str | None
    """The id of the element in the definition; null when it has none."""
    element: str
    """What it is, in the words of its language: `boundaryEvent`, `Wait`, …"""
    text: str
    """One sentence: what the net does instead."""

    @property
    def said(self) -> str:
        """The sentence, with the element that it is about."""
        if self.element_id is None:
            return self.text
        return f"{self.element} {self.element_id!r}: {self.text}"


@dataclass(frozen=True)
class Translation:
    """A model, and what could not be translated exactly: nothing is dropped in silence.

    Every transition of the net with a label has the id of its element; silent ones have it where
    they stand for one element.
    """

    model: ProcessModel
    remarks: tuple[Remark, ...] = ()
