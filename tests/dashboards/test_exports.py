"""Files that people take away."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from dashboards.exports import csv_of


def test_durations_are_seconds_instants_are_utc_and_unknown_is_empty() -> None:
    frame = pl.DataFrame(
        {
            "at": [datetime(2026, 1, 5, 8), None],
            "waiting": [timedelta(minutes=1.5), None],
            "activities": [["A", "B"], []],
            "share": [0.5, None],
        }
    )
    assert csv_of(frame).decode("utf-8-sig").splitlines() == [
        "at,waiting_seconds,activities,share",
        "2026-01-05T08:00:00.000000Z,90.0,A > B,0.5",
        ',,"",',
    ]


def test_cells_that_a_spreadsheet_would_run_are_made_harmless() -> None:
    cells = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "safe = 1", None]
    frame = pl.DataFrame({"cell": cells, "list": [[c or ""] for c in cells]})
    found = pl.read_csv(csv_of(frame))
    assert found["cell"].to_list() == [
        "'=1+1", "'+1", "'-1", "'@x", "'\tx", "'\rx", "safe = 1", None
    ]  # fmt: skip
    assert found["list"].to_list()[:2] == ["'=1+1", "'+1"]


def test_numbers_keep_their_sign() -> None:
    assert csv_of(pl.DataFrame({"n": [-1]})).decode("utf-8-sig") == "n\n-1\n"
