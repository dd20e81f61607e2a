"""What the map page shows: the map of a selection, drawn; and models discovered in it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Literal

import polars as pl

from dashboards.results import Selection, derived, result_of
from miner import EventLog, activities, directly_follows, summary, variants
from miner.discovery.process_map import ProcessMap, opening_view, process_map, simplify
from miner.drawing.map_picture import pieces, svg
from miner.drawing.palette import palette

Show = Literal["frequency", "time", "failures"]
Theme = Literal["light", "dark"]
_SECONDS = 5.0
_MOST_VARIANTS = 20_000


@dataclass(frozen=True)
class Drawn:
    """A map as pictures, and in words how much of the whole it shows."""

    stage: str
    legend: str
    extent: str


def whole_map(log: EventLog) -> ProcessMap:
    """The whole map of a log: its directly-follows graph, and what is known of its activities."""
    return process_map(directly_follows(log), activities(log))


def opening(selection: Selection) -> tuple[int, int]:
    """The shares of activities and paths, in percent, to open the map with."""
    activities, paths = derived(lambda chosen: opening_view(result_of(whole_map, chosen)),
                                selection, _name="opening")  # fmt: skip
    return _percent(activities), _percent(paths)


def shown_map(selection: Selection, activities: int, paths: int) -> ProcessMap:
    """The map with these shares, in percent, of its activities and paths."""
    whole = result_of(whole_map, selection)
    return simplify(whole, activities=activities / 100, paths=paths / 100)


def drawn_map(
    selection: Selection, *, show: Show, theme: Theme, activities: int, paths: int
) -> Drawn:
    """The map as a picture without its legend, and the legend."""
    shown = shown_map(selection, activities, paths)
    colours = palette(theme, show)
    parts, label = pieces(shown, show, colours, "TB", _SECONDS)
    stage = svg(parts[-1:], colours, label)
    legend = svg(parts[:-1], colours, "Legend") if len(parts) > 1 else ""
    return Drawn(stage, legend, label.removeprefix("Process map, "))


def frequent_variants(log: EventLog) -> pl.DataFrame:
    """The variants that models are discovered in and judged by; `VARIANTS`."""
    return variants(log, top=_MOST_VARIANTS)


def left_out(selection: Selection) -> str:
    """A sentence about variants that a model is not judged by; empty when there are none."""
    count = result_of(summary, selection).variants
    if count <= _MOST_VARIANTS:
        return ""
    return f"Judged by the {_MOST_VARIANTS:,} most frequent of {count:,} variants."


def _percent(share: float) -> int:
    return max(0, min(100, ceil(100 * share - 1e-6)))
