from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.xes.time import INSTANTS, instants

OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
MOMENTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=OFFSETS)


@given(st.lists(MOMENTS, min_size=1), st.sampled_from(["T", " "]))
def test_times_with_offsets_are_what_python_reads(moments: list[datetime], between: str) -> None:
    raw = pl.Series([moment.isoformat(between) for moment in moments])
    expected = [moment.astimezone(UTC).replace(tzinfo=None) for moment in moments]
    found = instants(raw, "UTC")
    assert found.schema == INSTANTS
    assert found["timestamp"].to_list() == expected
    assert found["reason"].to_list() == [None] * len(moments)


@pytest.mark.parametrize(
    ("raw", "meant"),
    [
        ("2020-01-01T10:00:00Z", datetime(2020, 1, 1, 10)),
        ("2020-01-01T10:00:00z", datetime(2020, 1, 1, 10)),
        (" 2020-01-01T10:00:00.5+02 ", datetime(2020, 1, 1, 8, 0, 0, 500_000)),
        ("2020-01-01T10:00:00,123456789+0530", datetime(2020, 1, 1, 4, 30, 0, 123_456)),
        ("2020-01-01 10:00:00 UTC", datetime(2020, 1, 1, 10)),
        ("2020-01-01T10:00-02:00", datetime(2020, 1, 1, 12)),
        ("2020-01-01T10:00", datetime(2020, 1, 1, 10)),
        ("2020-01-01", datetime(2020, 1, 1)),
        ("2020-02-29T23:59:59.999999+00:00", datetime(2020, 2, 29, 23, 59, 59, 999_999)),
    ],
)
def test_the_forms_of_iso_8601_that_logs_use(raw: str, meant: datetime) -> None:
    assert instants(pl.Series([raw]), "UTC")["timestamp"].to_list() == [meant]


@pytest.mark.parametrize(
    "raw",
    [
        "oops",
        "",
        "2020-13-01T00:00:00Z",
        "2019-02-29T00:00:00Z",
        "2020-01-01T24:00:00Z",
        "2020-01-01T10:60:00Z",
        "2020-01-01T10:00:60Z",
        "2020-01-01T10:00:00+15:00",
        "2020-01-01T10:00:00+02:60",
        "01/02/2020 10:00",
        "2020-1-1",
        "1577872800",
        "20200101T100000Z",
        "infinity",
        "2020-01-01T10:00:00 Europe/Berlin",
        "٢٠٢٠-01-01T10:00:00Z",
    ],
)
def test_anything_else_has_a_reason(raw: str) -> None:
    found = instants(pl.Series([raw, "2020-01-01"]), "UTC")
    assert found["timestamp"].to_list() == [None, datetime(2020, 1, 1)]
    assert found["reason"].to_list() == [f"not a timestamp: {raw}", None]


def test_no_times_give_no_rows_and_null_is_no_timestamp() -> None:
    assert instants(pl.Series([], dtype=pl.String), "Europe/Berlin").to_dicts() == []
    found = instants(pl.Series([None], dtype=pl.String), "Europe/Berlin")
    assert found.to_dicts() == [
        {"timestamp": None, "reason": "no timestamp", "naive": False, "finer": False}
    ]


def test_digits_below_the_microsecond_are_marked() -> None:
    raw = pl.Series(["2020-01-01T00:00:00.123456700Z", "2020-01-01T00:00:00.123456000Z"])
    assert instants(raw, "UTC")["finer"].to_list() == [True, False]


@given(st.lists(st.text(max_size=25)))
def test_no_text_breaks_it(raw: list[str]) -> None:
    found = instants(pl.Series(raw, dtype=pl.String), "Europe/Berlin")
    assert found.height == len(raw)
    assert (
        found.select(pl.col("timestamp").is_null() == pl.col("reason").is_not_null())
        .to_series()
        .all()
    )
