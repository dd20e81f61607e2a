"""Words, units and safe text for what stands on screen."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import polars as pl

from miner.drawing.text import clean
from miner.drawing.words import UNKNOWN, counted, share, spoken

__all__ = [
    "UNKNOWN",
    "counted",
    "in_unit",
    "markdown",
    "moment",
    "percent",
    "plotly_text",
    "plural",
    "share",
    "short",
    "spoken",
    "whole",
]

_UNITS = (
    ("days", timedelta(days=1)),
    ("hours", timedelta(hours=1)),
    ("minutes", timedelta(minutes=1)),
    ("seconds", timedelta(seconds=1)),
    ("milliseconds", timedelta(milliseconds=1)),
)
_JOINER = "\u2060"
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_TYPOGRAPHY = re.compile(r"(?<=[:<>=~-])(?=[\w<>=-])")


def in_unit(durations: pl.Series) -> tuple[pl.Series, str]:
    """Durations as numbers of the one unit that suits the longest of them, and its name.

    Nulls stay null. Without any duration the unit is seconds.
    """
    longest = durations.drop_nulls().abs().max()
    span = longest if isinstance(longest, timedelta) and longest else timedelta(seconds=2)
    unit, size = next((u for u in _UNITS if span >= 2 * u[1]), _UNITS[-1])
    microseconds = durations.dt.total_microseconds().cast(pl.Float64)
    return microseconds / (size / timedelta(microseconds=1)), unit


def moment(instant: datetime | None) -> str:
    """An instant of the store, which is in UTC: "5 Jan 2026, 08:00"; an en dash for null."""
    return UNKNOWN if instant is None else f"{instant.day} {instant:%b %Y, %H:%M}"


def percent(rate: float | None) -> str:
    """A share from 0 to 1: "3.2 %"; an en dash for null, and never "0 %" for more than none."""
    if rate is None:
        return UNKNOWN
    if rate != 0 and abs(rate) < 0.001:
        return "<0.1 %"
    return f"{100 * rate:.1f}".removesuffix(".0") + " %"


def whole(count: int | None) -> str:
    """A count in full: "24,163"; an en dash for null."""
    return UNKNOWN if count is None else f"{count:,}"


def plural(count: int, one: str) -> str:
    """A count with its noun: "1 case", "2,350 cases"."""
    return f"{count:,} {one}{'s' * (count != 1)}"


def short(text: str, most: int = 60) -> str:
    """`text` on one line of at most `most` characters, control characters made visible."""
    line = clean(text)
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def markdown(text: str, most: int = 200) -> str:
    """`text` from a log as it stands, wherever Streamlit reads Markdown.

    Punctuation is escaped. Emoji codes, icons and arrows are looked for after that, so an invisible
    word joiner breaks them.
    """
    return _PUNCTUATION.sub(r"\\\1", _TYPOGRAPHY.sub(_JOINER, short(text, most)))


def plotly_text(text: str, most: int = 40) -> str:
    """`text` from a log for a label of a chart, where Plotly would read tags."""
    line = short(text, most)
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
