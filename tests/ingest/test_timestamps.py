from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.sources.csv import CsvFile
from miner.errors import InputError, UnknownNameError
from tests.ingest.reading import file, opened, read, refusal, rejected


def log(folder: Path, *times: str) -> str:
    rows = [f'c1,A,"{time}"\n' for time in times]
    return file(folder, "case_id,activity,timestamp\n" + "".join(rows))


def instants(source: CsvFile) -> list[datetime | None]:
    return read(source).sort("position")["timestamp"].to_list()


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-31", datetime(2026, 1, 31)),
        ("2026-01-31 10:20", datetime(2026, 1, 31, 10, 20)),
        ("2026-01-31T10:20:30", datetime(2026, 1, 31, 10, 20, 30)),
        ("2026-01-31 10:20:30.5", datetime(2026, 1, 31, 10, 20, 30, 500_000)),
        ("2026-01-31 10:20:30,5", datetime(2026, 1, 31, 10, 20, 30, 500_000)),
        ("2026-01-31T10:20:30.123456789", datetime(2026, 1, 31, 10, 20, 30, 123_456)),
        ("2026-01-31T10:20:30Z", datetime(2026, 1, 31, 10, 20, 30)),
        ("2026-01-31t10:20:30z", datetime(2026, 1, 31, 10, 20, 30)),
        ("2026-01-31T10:20:30.123456789Z", datetime(2026, 1, 31, 10, 20, 30, 123_456)),
        ("2026-01-31T10:20:30+02:00", datetime(2026, 1, 31, 8, 20, 30)),
        ("2026-01-31 10:20:30+0200", datetime(2026, 1, 31, 8, 20, 30)),
        ("2026-01-31 10:20:30.25-05", datetime(2026, 1, 31, 15, 20, 30, 250_000)),
        ("2026-01-31 10:20:30 +05:30", datetime(2026, 1, 31, 4, 50, 30)),
        ("2026-01-31 10:20:30 UTC", datetime(2026, 1, 31, 10, 20, 30)),
        ("2026/01/31 10:20:30", datetime(2026, 1, 31, 10, 20, 30)),
        ("2026/01/31 10:20:30-05:00", datetime(2026, 1, 31, 15, 20, 30)),
        ("2026.01.31 10:20", datetime(2026, 1, 31, 10, 20)),
        ("2026-01-31-10.20.30.123456", datetime(2026, 1, 31, 10, 20, 30, 123_456)),
        ("31.01.2026 10:20", datetime(2026, 1, 31, 10, 20)),
        ("31.1.2026, 10:20:30", datetime(2026, 1, 31, 10, 20, 30)),
        ("31/01/2026 10:20:30.123456789", datetime(2026, 1, 31, 10, 20, 30, 123_456)),
        ("01/31/2026 01:20 PM", datetime(2026, 1, 31, 13, 20)),
        ("1/31/2026 12:20am", datetime(2026, 1, 31, 0, 20)),
        ("31-01-2026 10:20+01:00", datetime(2026, 1, 31, 9, 20)),
        ("31.12.99 10:20", datetime(1999, 12, 31, 10, 20)),
        ("31 Jan 2026 10:20", datetime(2026, 1, 31, 10, 20)),
        ("31-JAN-2026", datetime(2026, 1, 31)),
        ("January 31, 2026 1:20 pm", datetime(2026, 1, 31, 13, 20)),
        ("Sat, 31 Jan 2026 10:20:30 GMT", datetime(2026, 1, 31, 10, 20, 30)),
        ("31. März 2026", datetime(2026, 3, 31)),
        ("31. Dez. 2026 10:20", datetime(2026, 12, 31, 10, 20)),
        ("31 août 2026", datetime(2026, 8, 31)),
        ("31 de enero de 2026", datetime(2026, 1, 31)),
        ("1769854830", datetime(2026, 1, 31, 10, 20, 30)),
        ("1769854830.5", datetime(2026, 1, 31, 10, 20, 30, 500_000)),
        ("1769854830123", datetime(2026, 1, 31, 10, 20, 30, 123_000)),
        ("1769854830123456", datetime(2026, 1, 31, 10, 20, 30, 123_456)),
        ("1769854830123456789", datetime(2026, 1, 31, 10, 20, 30, 123_456)),
        ("20260131", datetime(2026, 1, 31)),
        ("20260131102030", datetime(2026, 1, 31, 10, 20, 30)),
        ("46053.5", datetime(2026, 1, 31, 12)),
    ],
)
def test_a_way_of_writing_is_read(tmp_path: Path, text: str, instant: datetime) -> None:
    assert instants(CsvFile(log(tmp_path, text), timestamp="timestamp")) == [instant]


def test_each_row_is_read_in_its_own_way(tmp_path: Path) -> None:
    path = log(
        tmp_path,
        "2026-01-31 10:00",
        "2026-01-31T10:00:00+02:00",
        "31.01.2026 10:00",
        "01/31/2026 10:00 AM",
        "1769854830",
        "5 Feb 2026",
        "tomorrow",
    )
    frame = read(CsvFile(path))
    assert frame.sort("position")["timestamp"].to_list() == [
        datetime(2026, 1, 31, 10),
        datetime(2026, 1, 31, 8),
        datetime(2026, 1, 31, 10),
        datetime(2026, 1, 31, 10),
        datetime(2026, 1, 31, 10, 20, 30),
        datetime(2026, 2, 5),
        None,
    ]
    assert [reason for reason, _ in rejected(frame)] == [
        "timestamp 'tomorrow' cannot be read as a time"
    ]


def test_one_day_above_twelve_decides_for_all_rows_however_late(tmp_path: Path) -> None:
    path = log(tmp_path, *["01/02/2026"] * 60_000, "13/02/2026")
    frame, notes = opened(CsvFile(path))
    assert frame["timestamp"].min() == datetime(2026, 2, 1)
    assert "day before month, because '13/02/2026' cannot be otherwise" in notes["timestamp"]


def test_dates_that_can_be_read_both_ways_are_never_guessed(tmp_path: Path) -> None:
    path = log(tmp_path, "01/02/2026", "03/04/2026")
    said = refusal(CsvFile(path))
    assert "ambiguous" in said
    assert "--day-first" in said
    assert instants(CsvFile(path, day_first=True))[0] == datetime(2026, 2, 1)
    assert instants(CsvFile(path, day_first=False))[0] == datetime(2026, 1, 2)


def test_dates_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    path = log(tmp_path, "13/02/2026", "02/13/2026")
    assert "contradict" in refusal(CsvFile(path))
    frame = read(CsvFile(path, day_first=True))
    assert frame["timestamp"].drop_nulls().to_list() == [datetime(2026, 2, 13)]
    assert len(rejected(frame)) == 1


def test_years_of_two_digits_are_refused_unless_only_one_reading_is_left(tmp_path: Path) -> None:
    assert "ambiguous" in refusal(CsvFile(log(tmp_path, "10.01.26")))
    assert "ambiguous" in refusal(CsvFile(log(tmp_path, "31.01.26")))  # day or year first?
    assert instants(CsvFile(log(tmp_path, "31.01.26"), day_first=True)) == [datetime(2026, 1, 31)]


def test_start_and_end_are_written_in_the_same_order(tmp_path: Path) -> None:
    text = "case,activity,start,end\nc1,A,01/02/2026,13/02/2026\n"
    frame = read(CsvFile(file(tmp_path, text)))
    assert sorted(frame["timestamp"]) == [datetime(2026, 2, 1), datetime(2026, 2, 13)]


def test_small_numbers_are_no_times(tmp_path: Path) -> None:
    said = refusal(CsvFile(log(tmp_path, "1", "17"), timestamp="timestamp"))
    assert "'1'" in said


def test_times_without_an_offset_are_taken_as_utc_and_that_is_told(tmp_path: Path) -> None:
    _, notes = opened(CsvFile(log(tmp_path, "2026-07-01 10:00")))
    assert "UTC" in notes["timezone"]
    _, notes = opened(CsvFile(log(tmp_path, "2026-07-01 10:00Z")))
    assert "timezone" not in notes


def test_local_times_are_brought_to_utc_summer_and_winter(tmp_path: Path) -> None:
    path = log(tmp_path, "2026-01-15 10:00", "2026-07-15 10:00", "2026-07-15T10:00:00Z")
    assert instants(CsvFile(path, timezone="Europe/Berlin")) == [
        datetime(2026, 1, 15, 9),
        datetime(2026, 7, 15, 8),
        datetime(2026, 7, 15, 10),
    ]


@pytest.mark.parametrize(
    ("choice", "twice", "never"),
    [
        ("reject", None, None),
        ("earlier", datetime(2026, 10, 25, 0, 30), datetime(2026, 3, 29, 0, 30)),
        ("later", datetime(2026, 10, 25, 1, 30), datetime(2026, 3, 29, 1, 30)),
    ],
)
def test_local_times_that_clock_changes_blur_are_the_users_choice(
    tmp_path: Path, choice: str, twice: datetime | None, never: datetime | None
) -> None:
    path = log(tmp_path, "2026-10-25 02:30", "2026-03-29 02:30", "2026-10-25 03:00:00")
    frame = read(CsvFile(path, timezone="Europe/Berlin", daylight_saving=choice)).sort("position")
    assert frame["timestamp"].to_list() == [twice, never, datetime(2026, 10, 25, 2)]
    if choice == "reject":
        assert [reason for reason, _ in rejected(frame)] == [
            "timestamp '2026-10-25 02:30' happens twice in Europe/Berlin",
            "timestamp '2026-03-29 02:30' does not exist in Europe/Berlin",
        ]


def test_zones_and_choices_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    path = log(tmp_path, "2026-01-01")
    with pytest.raises(UnknownNameError, match="Europe/Berlin"):
        read(CsvFile(path, timezone="Europe/Berlim"))
    with pytest.raises(UnknownNameError):
        read(CsvFile(path, timezone="../../etc/passwd"))
    with pytest.raises(InputError, match="maybe"):
        read(CsvFile(path, daylight_saving="maybe"))


ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Cairo")


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    zone=st.sampled_from(ZONES),
    choice=st.sampled_from(["earlier", "later"]),
    times=st.lists(
        st.datetimes(datetime(1950, 1, 1), datetime(2060, 1, 1)).map(
            lambda at: at.replace(microsecond=0)
        ),
        min_size=1,
        max_size=50,
    ),
    change=st.sampled_from([datetime(2026, 3, 29, 2), datetime(2026, 10, 25, 2)]),
)
def test_local_times_mean_what_the_time_zone_database_says(
    tmp_path: Path, zone: str, choice: str, times: list[datetime], change: datetime
) -> None:
    times = [*times, *(change + timedelta(minutes=15 * i) for i in range(-12, 12))]
    path = log(tmp_path, *map(str, times))
    found = instants(CsvFile(path, timezone=zone, daylight_saving=choice))
    place = ZoneInfo(zone)
    for local, instant in zip(times, found, strict=True):
        both = [
            local.replace(tzinfo=place, fold=fold).astimezone(UTC).replace(tzinfo=None)
            for fold in (0, 1)
        ]
        assert instant == (min(both) if choice == "earlier" else max(both)), (local, zone)


FORMATS = ("%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%d %b %Y %H:%M:%S")


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    written=st.lists(
        st.tuples(
            st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)), st.sampled_from(FORMATS)
        ),
        min_size=1,
        max_size=30,
    )
)
def test_what_was_written_is_read_or_refused(
    tmp_path: Path, written: list[tuple[datetime, str]]
) -> None:
    written = [*written, (datetime(2026, 1, 31), FORMATS[1]), (datetime(2026, 1, 31), FORMATS[2])]
    path = log(tmp_path, *(at.strftime(form) for at, form in written))
    assert instants(CsvFile(path)) == [at.replace(microsecond=0) for at, _ in written]


def test_nothing_depends_on_how_many_rows_come_first(tmp_path: Path) -> None:
    path = log(tmp_path, *["1/5/2026"] * 55_000, "5 Jan 2026", "31/1/2026")
    frame = read(CsvFile(path))
    assert frame["timestamp"].null_count() == 0
    assert set(frame["timestamp"]) == {
        datetime(2026, 5, 1),
        datetime(2026, 1, 5),
        datetime(2026, 1, 31),
    }
    assert frame.schema["timestamp"] == pl.Datetime("us")
