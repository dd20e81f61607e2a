"""Words and units."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
import pytest

from dashboards.units import in_unit, markdown, moment, percent, plotly_text, short


@pytest.mark.parametrize(
    ("longest", "unit", "number"),
    [
        (timedelta(days=3), "days", 3),
        (timedelta(days=1), "hours", 24),
        (timedelta(minutes=90), "minutes", 90),
        (timedelta(seconds=2), "seconds", 2),
        (timedelta(milliseconds=20), "milliseconds", 20),
    ],
)
def test_a_chart_has_the_unit_of_its_longest_duration(
    longest: timedelta, unit: str, number: float
) -> None:
    values, found = in_unit(pl.Series([timedelta(), longest, None]))
    assert found == unit
    assert values.to_list() == [0, number, None]


def test_nothing_known_is_in_seconds() -> None:
    assert in_unit(pl.Series([None], dtype=pl.Duration("us")))[1] == "seconds"


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (None, "–"),
        (0.0, "0 %"),
        (0.0001, "<0.1 %"),
        (0.0316, "3.2 %"),
        (0.5, "50 %"),
        (1.0, "100 %"),
    ],
)
def test_shares_never_hide_what_is_there(rate: float | None, text: str) -> None:
    assert percent(rate) == text


def test_an_instant_has_no_seconds_and_unknown_is_a_dash() -> None:
    assert moment(datetime(2026, 1, 5, 8, 3, 59)) == "5 Jan 2026, 08:03"
    assert moment(None) == "–"


def test_markdown_in_names_is_escaped() -> None:
    assert markdown("*a* [b](c) < d >") == r"\*a\* \[b\]\(c\) \< d \>"
    assert ":smile:" not in markdown(":smile:").replace("\\", "")
    assert "->" not in markdown("a -> b").replace("\\", "")


def test_tags_in_names_are_escaped_for_charts() -> None:
    assert plotly_text("<a href='x'>&</a>") == "&lt;a href='x'&gt;&amp;&lt;/a&gt;"


def test_long_names_are_cut_and_lines_joined() -> None:
    assert len(short("x" * 500)) == 60
    assert "\n" not in short("a\nb")
