"""Every percentile is the exact one, by linear interpolation, to the microsecond."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from miner import activities, activity_times, directly_follows, summary, variants
from miner.eventlog.log import EventLog
from tests.logs import at

lengths = st.lists(st.integers(0, 10**11), min_size=1, max_size=25)


def _log(microseconds: list[int], *, starts: bool) -> EventLog:
    """Cases of A, then B after `microseconds`; with `starts`, B takes as long as that."""
    rows = []
    for number, length in enumerate(microseconds):
        later = at(0) + timedelta(microseconds=length)
        rows.append((f"c{number}", "A", "complete", at(0)))
        if starts:
            rows.append((f"c{number}", "B", "start", at(0)))
        rows.append((f"c{number}", "B", "complete", later))
    columns = ["case_id", "activity", "lifecycle", "timestamp"]
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    frame = frame.cast({"timestamp": pl.Datetime("us")})
    return EventLog.from_frame(frame.with_columns(position=pl.int_range(pl.len())))


def _close(found: timedelta | None, values: list[int], share: float) -> bool:
    assert found is not None
    expected = np.percentile(np.array(values, dtype=np.float64), share * 100, method="linear")
    return abs(found / timedelta(microseconds=1) - float(expected)) <= 1


@settings(max_examples=20, deadline=None)
@given(lengths)
def test_of_cycle_times(values: list[int]) -> None:
    figures = summary(_log(values, starts=False))
    assert _close(figures.median_cycle_time, values, 0.5)
    assert _close(figures.p95_cycle_time, values, 0.95)
    assert _close(figures.p99_cycle_time, values, 0.99)
    polars = pl.Series(values, dtype=pl.Float64).quantile(0.95, "linear")
    assert polars is not None and figures.p95_cycle_time is not None
    assert abs(figures.p95_cycle_time / timedelta(microseconds=1) - polars) <= 1


@settings(max_examples=10, deadline=None)
@given(lengths)
def test_of_service_times(values: list[int]) -> None:
    log = _log(values, starts=True)
    times = activity_times(log).filter(activity="B")
    assert _close(times["median_service"].item(), values, 0.5)
    assert _close(times["p95_service"].item(), values, 0.95)
    assert _close(activities(log).filter(activity="B")["median_service"].item(), values, 0.5)


@settings(max_examples=10, deadline=None)
@given(lengths)
def test_of_times_on_paths_and_of_variants(values: list[int]) -> None:
    log = _log(values, starts=False)
    path = directly_follows(log).filter(activity="A", next_activity="B")
    assert _close(path["median"].item(), values, 0.5)
    assert _close(path["p95"].item(), values, 0.95)
    assert _close(variants(log)["median_cycle_time"].item(), values, 0.5)
