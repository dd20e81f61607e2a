"""What a process map says: the figure, strength and words of each box and path."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from miner.discovery.process_map import ProcessMap
from miner.drawing.layout import Box, Link
from miner.drawing.text import clean, fitted, width
from miner.drawing.words import UNKNOWN, counted, share, spoken

Show = Literal["frequency", "time", "failures"]

START, END = "start", "end"
NAME_SIZE, FIGURE_SIZE = 12.0, 11.0
LINE_HEIGHT = 15.0
_NAME_LIMIT, _NAME_LINES = 152.0, 3
_NARROWEST = 84.0
_PADDING = 22.0
_TERMINAL = 25.0
_THINNEST, _THICKEST = 1.3, 7.0
# A loop is small; a thicker line would fill it.
_THICKEST_LOOP = 3.5
_NOTHING = timedelta(0)


@dataclass(frozen=True)
class BoxMark:
    """An activity as drawn; `strength` from 0 to 1, None when its value is unknown."""

    id: str
    name: str
    lines: tuple[str, ...]
    figure: str
    strength: float | None
    title: str

    @property
    def box(self) -> Box:
        """The box that holds the lines and the figure."""
        widest = max(width(line, NAME_SIZE, bold=True) for line in self.lines)
        figure = width(self.figure, FIGURE_SIZE)
        height = 13 + LINE_HEIGHT * (len(self.lines) + 1)
        return Box(self.id, max(_NARROWEST, widest + _PADDING, figure + _PADDING), height)


@dataclass(frozen=True)
class PathMark:
    """A path as drawn; `strength` from 0 to 1, None when its value is unknown."""

    source: str
    target: str
    weight: int
    label: str
    thickness: float
    strength: float | None
    title: str

    @property
    def link(self) -> Link:
        """The link to lay out."""
        return Link(self.source, self.target, self.weight, self.label, self.thickness)


@dataclass(frozen=True)
class Scale:
    """What a colour ramp means and the values at its ends; they are empty when none is known."""

    meaning: str
    low: str
    high: str


@dataclass(frozen=True)
class Marks:
    """All there is to draw, and what the legend says about it."""

    boxes: tuple[BoxMark, ...]
    paths: tuple[PathMark, ...]
    extent: str
    thickness: str
    box_scale: Scale
    path_scale: Scale

    @property
    def terminals(self) -> tuple[Box, ...]:
        """The signs for start and end, those of them that a path uses."""
        ends = {end for path in self.paths for end in (path.source, path.target)}
        return tuple(Box(kind, _TERMINAL, _TERMINAL, kind) for kind in (START, END) if kind in ends)


def marks(process_map: ProcessMap, show: Show) -> Marks:
    """The marks of a map, boxes and paths in its order."""
    activities = process_map.activities.to_dicts()
    paths = process_map.paths.to_dicts()
    box_value, box_words, box_meaning = _BOX[show]
    path_value, path_words, path_meaning = _PATH[show]
    box_values = [box_value(row) for row in activities]
    path_values = [path_value(row) for row in paths]
    thickness, thickness_meaning = _thickness(paths, show)
    box_strengths = _strengths(box_values, show)
    path_strengths = _strengths(path_values, "time" if show == "time" else "frequency")
    ids = {row["activity"]: str(number) for number, row in enumerate(activities)}
    return Marks(
        tuple(
            _box(ids[row["activity"]], row, box_words(row), strength)
            for row, strength in zip(activities, box_strengths, strict=True)
        ),
        tuple(
            PathMark(
                START if row["activity"] is None else ids[row["activity"]],
                END if row["next_activity"] is None else ids[row["next_activity"]],
                row["frequency"] or 0,
                path_words(row),
                thick,
                strength,
                _path_title(row),
            )
            for row, thick, strength in zip(paths, thickness, path_strengths, strict=True)
        ),
        f"{len(activities):,} of {process_map.activities_total:,} activities · "
        f"{len(paths):,} of {process_map.paths_total:,} paths",
        thickness_meaning,
        _scale(box_meaning, activities, box_values, box_words),
        _scale(path_meaning, paths, path_values, path_words),
    )


_Row = dict[str, Any]
_Value = Callable[[_Row], float | None]
_Words = Callable[[_Row], str]


def _failure_rate(row: _Row) -> float | None:
    if row["failed"] is None or not row["frequency"]:
        return None
    return float(row["failed"] / row["frequency"])


def _seconds(column: str) -> _Value:
    def seconds(row: _Row) -> float | None:
        duration: timedelta | None = row[column]
        return None if duration is None else max(duration, _NOTHING).total_seconds()

    return seconds


def _frequency(row: _Row) -> float | None:
    frequency: int | None = row["frequency"]
    return frequency


def _time_label(row: _Row) -> str:
    return "" if row["median"] is None else spoken(row["median"])


_BOX: dict[Show, tuple[_Value, _Words, str]] = {
    "frequency": (_frequency, lambda row: counted(row["frequency"]), "frequency"),
    "time": (
        _seconds("median_service"),
        lambda row: spoken(row["median_service"]),
        "median service time",
    ),
    "failures": (_failure_rate, lambda row: share(row["failed"], row["frequency"]), "failed share"),
}
_PATH: dict[Show, tuple[_Value, _Words, str]] = {
    "frequency": (_frequency, lambda row: counted(row["frequency"]), "frequency"),
    "time": (_seconds("median"), _time_label, "median time between"),
    "failures": (_frequency, lambda row: counted(row["frequency"]), "frequency"),
}


def _box(number: str, row: _Row, figure: str, strength: float | None) -> BoxMark:
    name = clean(row["activity"])
    return BoxMark(number, name, _balanced(name), figure, strength, _box_title(name, row))


def _balanced(name: str) -> tuple[str, ...]:
    """The name in as few lines as it takes, and these as even as can be."""
    lines = fitted(name, NAME_SIZE, _NAME_LIMIT, lines=_NAME_LINES, bold=True)
    if len(lines) == 1 or "".join(lines).endswith("…"):
        return tuple(lines)
    for limit in range(round(_NARROWEST), round(_NAME_LIMIT), 8):
        even = fitted(name, NAME_SIZE, limit, lines=len(lines), bold=True)
        if not even[-1].endswith("…"):
            return tuple(even)
    return tuple(lines)


def _box_title(name: str, row: _Row) -> str:
    facts = [name, f"{counted(row['frequency'])} times" + _cases(row)]
    if row["median_service"] is not None:
        facts.append(f"median service time {spoken(row['median_service'])}")
    if row["median_waiting"] is not None:
        facts.append(f"median waiting time {spoken(row['median_waiting'])}")
    if row["failed"] is not None:
        facts.append(f"failed {counted(row['failed'])} times, {_BOX['failures'][1](row)}")
    return "\n".join(facts)


def _path_title(row: _Row) -> str:
    source = "start" if row["activity"] is None else clean(row["activity"])
    target = "end" if row["next_activity"] is None else clean(row["next_activity"])
    facts = [f"{source} → {target}", f"{counted(row['frequency'])} times" + _cases(row)]
    if row["median"] is not None:
        facts.append(f"median {spoken(row['median'])}, 95 % within {spoken(row['p95'])}")
    if row["connecting"]:
        facts.append("shown because it connects an activity")
    return "\n".join(facts)


def _cases(row: _Row) -> str:
    return "" if row["cases"] is None else f" in {counted(row['cases'])} cases"


def _thickness(paths: Sequence[_Row], show: Show) -> tuple[list[float], str]:
    """Widths of the paths in pixels, and what they mean."""
    by_cases = show == "time" and all(row["cases"] is not None for row in paths)
    column = "cases" if by_cases else "frequency"
    most = max((row[column] or 0 for row in paths), default=0) or 1
    return [_wide(row, (row[column] or 0) / most) for row in paths], column


def _wide(row: _Row, part: float) -> float:
    wide = _THINNEST + (_THICKEST - _THINNEST) * math.sqrt(part)
    return min(wide, _THICKEST_LOOP) if row["activity"] == row["next_activity"] else wide


def _strengths(values: Sequence[float | None], show: Show) -> list[float | None]:
    """Values between their least and their greatest, stretched so that differences show.

    Durations spread over powers of ten, so by logarithm; counts by square root; shares as they
    are, from zero.
    """
    if show == "time":
        bent = [None if value is None else math.log10(max(value, 0.001)) for value in values]
    elif show == "frequency":
        bent = [None if value is None else math.sqrt(value) for value in values]
    else:
        bent = [*values]
    known = [value for value in bent if value is not None]
    low = 0.0 if show == "failures" else min(known, default=0.0)
    reach = max(known, default=0.0) - low
    even = 0.0 if show == "failures" else 0.5
    return [
        None if value is None else (value - low) / reach if reach > 0 else even for value in bent
    ]


def _scale(
    meaning: str, rows: Sequence[_Row], values: Sequence[float | None], words: _Words
) -> Scale:
    known = [(value, row) for value, row in zip(values, rows, strict=True) if value is not None]
    if not known:
        return Scale(f"{meaning} {UNKNOWN} not known", "", "")
    low = min(known, key=lambda pair: pair[0])[1]
    high = max(known, key=lambda pair: pair[0])[1]
    start = "0 %" if meaning == "failed share" else words(low)
    return Scale(meaning, start, words(high))
