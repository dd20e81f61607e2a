from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miner.drawing.words import counted, share, spoken


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (None, "–"),
        (timedelta(0), "0 s"),
        (timedelta(microseconds=350), "350 µs"),
        (timedelta(milliseconds=850), "850 ms"),
        (timedelta(milliseconds=999, microseconds=900), "1 s"),
        (timedelta(seconds=1.5), "1.5 s"),
        (timedelta(seconds=59.9), "1 min"),
        (timedelta(minutes=2, seconds=5), "2 min 5 s"),
        (timedelta(minutes=45), "45 min"),
        (timedelta(minutes=59, seconds=45), "1 h"),
        (timedelta(hours=3, minutes=20), "3 h 20 min"),
        (timedelta(hours=23, minutes=59, seconds=50), "1 d"),
        (timedelta(days=2, hours=3), "2 d 3 h"),
        (timedelta(days=1_234), "1,234 d"),
        (timedelta(minutes=-45), "−45 min"),
    ],
)
def test_durations_are_said_in_the_two_largest_units(
    duration: timedelta | None, words: str
) -> None:
    assert spoken(duration) == words


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=99)))
def test_no_unit_is_said_to_be_full(duration: timedelta) -> None:
    words = spoken(duration)
    for full in ("1000 ms", "60 s", "60 min", "24 h"):
        assert full not in words


@pytest.mark.parametrize(
    ("count", "words"),
    [(None, "–"), (0, "0"), (24_163, "24,163"), (262_200, "262k"), (1_280_000, "1.28M")],
)
def test_large_counts_are_shortened(count: int | None, words: str) -> None:
    assert counted(count) == words


def test_a_share_that_is_not_quite_all_or_nothing_says_so() -> None:
    assert share(1, 10_000) == "<0.1 %"
    assert share(9_999, 10_000) == ">99.9 %"
    assert share(0, 5) == "0 %"
    assert share(5, 5) == "100 %"
    assert share(None, 5) == share(1, 0) == "–"
