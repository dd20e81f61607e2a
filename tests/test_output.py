from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from miner.output import FORMATS, rendered

HOSTILE = 'a"b,c;d\n\t\x1b[31m\x00=1+1 \u202e ü 好'


@dataclass(frozen=True)
class Figures:
    process: str
    median: timedelta | None
    seen: datetime | None
    rate: float | None


FRAME = pl.DataFrame(
    {
        "activity": ["A", None],
        "median": [timedelta(seconds=90), None],
        "at": [datetime(2026, 1, 5, 8), None],
        "path": [["A", "B"], []],
        "rate": [0.25, None],
        "count": [1234, None],
    },
    schema_overrides={"median": pl.Duration("us"), "at": pl.Datetime("us")},
)


def test_json_has_seconds_instants_and_nulls() -> None:
    assert json.loads(rendered(FRAME, "json")) == [
        {
            "activity": "A",
            "median_seconds": 90.0,
            "at": "2026-01-05T08:00:00Z",
            "path": ["A", "B"],
            "rate": 0.25,
            "count": 1234,
        },
        {
            "activity": None,
            "median_seconds": None,
            "at": None,
            "path": [],
            "rate": None,
            "count": None,
        },
    ]


def test_a_duration_keeps_its_key_where_it_is_unknown() -> None:
    found = json.loads(rendered(Figures("p", None, None, None), "json"))
    assert found == {"process": "p", "median_seconds": None, "seen": None, "rate": None}
    assert json.loads(rendered(FRAME.clear(), "json")) == []


def test_csv_has_the_same_keys() -> None:
    header, first, second = csv.reader(io.StringIO(rendered(FRAME, "csv")))
    assert header == ["activity", "median_seconds", "at", "path", "rate", "count"]
    assert first == ["A", "90.0", "2026-01-05T08:00:00Z", "A > B", "0.25", "1234"]
    assert second == ["", "", "", "", "", ""]
    keys, values = csv.reader(io.StringIO(rendered(Figures("p", None, None, 0.5), "csv")))
    assert keys == ["process", "median_seconds", "seen", "rate"]
    assert values == ["p", "", "", "0.5"]


def test_instants_are_utc_whatever_zone_they_came_in() -> None:
    moment = datetime(2026, 1, 5, 8, tzinfo=UTC)
    assert json.loads(rendered({"at": moment}, "json")) == {"at": "2026-01-05T08:00:00Z"}


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_null(number: float) -> None:
    assert json.loads(rendered({"rate": number}, "json")) == {"rate": None}
    assert json.loads(rendered(pl.DataFrame({"rate": [number]}), "json")) == [{"rate": None}]


def test_a_table_has_a_line_per_row_and_shows_unknown_as_a_dash() -> None:
    lines = rendered(FRAME, "table").splitlines()
    assert lines[0].split() == ["activity", "median", "at", "path", "rate", "count"]
    assert len(lines) == 4
    assert "1,234" in lines[2] and "A > B" in lines[2]
    assert lines[3].split()[0] == "–"
    assert rendered(FRAME.clear(), "table") == "Nothing to show."


@pytest.mark.parametrize("form", FORMATS)
def test_hostile_names_come_back_whole_or_harmless(form: str) -> None:
    text = rendered(pl.DataFrame({"activity": [HOSTILE], "n": [1]}), form)
    if form == "json":
        assert json.loads(text) == [{"activity": HOSTILE, "n": 1}]
    elif form == "csv":
        rows = list(csv.reader(io.StringIO(text.replace("\x00", "\ufffd"), newline="")))
        assert rows[1][0] == HOSTILE.replace("\x00", "\ufffd")
    else:
        assert len(text.splitlines()) == 3  # a name cannot begin a line of its own
        assert "\x1b" not in text and "\x00" not in text and "\u202e" not in text


@given(st.text())
def test_a_table_never_breaks_its_lines(name: str) -> None:
    assert len(rendered(pl.DataFrame({"activity": [name]}), "table").split("\n")) == 3


@given(st.lists(st.text(), min_size=1))
def test_json_gives_every_name_back(names: list[str]) -> None:
    found = json.loads(rendered(pl.DataFrame({"activity": names}), "json"))
    assert [row["activity"] for row in found] == names
