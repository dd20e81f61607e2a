"""The values that edeaR's own tests expect of its patients log."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from ingest.registry import source_class
from miner import activities, case_times, resource_idle_times, resource_times
from miner.eventlog.log import EventLog
from miner.performance.times import activity_times
from tests.ingest.reading import read


@pytest.fixture(scope="module")
def log(shared_logs: Path) -> EventLog:
    """The log as its columns say it: `activity_instance` ties start and completion together."""
    source = source_class("csv")(
        path=str(shared_logs / "kpi" / "patients.csv"),  # type: ignore[call-arg]
        case="patient",
        timezone="UTC",
    )
    frame = read(source)  # type: ignore[arg-type]
    assert frame.height == 21
    assert frame["instance_id"].n_unique() == 12
    return EventLog.from_frame(frame, process="patients")


def _minutes(frame: pl.DataFrame, key: str, column: str) -> dict[str, float | None]:
    minutes = pl.col(column).dt.total_microseconds() / 60e6
    return dict(frame.select(key, minutes).iter_rows())


def test_throughput_time(log: EventLog) -> None:
    times = _minutes(case_times(log), "case_id", "cycle_time")
    assert times == pytest.approx(
        {"John Doe": 1819.16667, "Jane Doe": 1492.58333, "George Doe": 0}, abs=1e-4
    )
    assert sum(time or 0 for time in times.values()) / 3 == pytest.approx(1103.916667)


def test_processing_time_of_cases(log: EventLog) -> None:
    times = _minutes(case_times(log), "case_id", "processing_time")
    assert times == pytest.approx({"John Doe": 108.516667, "Jane Doe": 66.316667, "George Doe": 0})
    assert sum(time or 0 for time in times.values()) / 3 == pytest.approx(58.277778)


def test_processing_time_of_activities(log: EventLog) -> None:
    times = _minutes(activity_times(log), "activity", "mean_service")
    assert times["surgery"] == pytest.approx(23.14583, abs=1e-5)
    assert times["treatment"] == pytest.approx(27.41667, abs=1e-5)
    assert [times[name] for name in ("check-in", "check-out", "register")] == [None] * 3


def test_processing_time_of_resources(log: EventLog) -> None:
    times = _minutes(resource_times(log), "resource", "mean_service")
    assert times.pop("Samantha") is None
    expected = {"Richard": 22.74444, "Danny": 33.90833, "Sarah": 14.43333, "William": 24.35}
    assert times == pytest.approx(expected, abs=1e-4)


def test_idle_time_of_resources(log: EventLog) -> None:
    times = _minutes(resource_idle_times(log), "resource", "idle_time")
    assert times["Richard"] == pytest.approx(1487.767, abs=1e-3)
    assert times["Danny"] == pytest.approx(1467.083, abs=1e-3)
    assert "Samantha" not in times  # nobody knows when she worked


def test_activity_frequency(log: EventLog) -> None:
    assert dict(activities(log).select("activity", "frequency").iter_rows()) == {
        "surgery": 4,
        "treatment": 3,
        "check-in": 2,
        "check-out": 2,
        "register": 1,
    }


def test_idle_time_of_cases_is_the_time_in_which_nothing_ran(log: EventLog) -> None:
    """Cycle time less the union of the intervals, as the measure is defined.

    edeaR gives 108.52 and 66.32 minutes for John and Jane, which is their processing time: its
    counter of running activities goes down at a completion without a start (check-in), runs
    negative from there on, and so takes work for idleness and idleness for work.
    """
    times = case_times(log)
    found = _minutes(times, "case_id", "idle_time")
    assert found["John Doe"] == pytest.approx(1819.16667 - 108.516667, abs=1e-4)
    assert found["Jane Doe"] == pytest.approx(1492.58333 - 66.316667, abs=1e-4)
    assert found["George Doe"] == 0
