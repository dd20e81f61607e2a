from __future__ import annotations

import polars as pl
import pytest

from miner import log_quality
from miner.eventlog.log import EventLog
from miner.eventlog.quality import QUALITY
from tests.logs import at, events_of, log_of


def found(log: EventLog) -> dict[str, tuple[int, int]]:
    return {finding: (count, of) for finding, count, of, *_ in log_quality(log).iter_rows()}


def test_findings_that_do_not_occur_are_there_with_zero() -> None:
    clean = log_quality(log_of({"c1": "A@0-1(ann) B@2-3(bob)"}))
    assert clean.schema == QUALITY
    assert clean.height >= 16
    assert clean.filter(pl.col("count") > 0)["finding"].to_list() == ["cases without a version"]
    assert clean["touches"].null_count() == 0


def test_what_an_instance_lacks_is_counted() -> None:
    counted = found(log_of({"c1": "A@0 B@1-2(ann) C@3- ", "c2": "A@0|1-2"}))
    assert counted["instances without a start"] == (1, 4)
    assert counted["instances still running"] == (1, 4)
    assert counted["instances without a resource"] == (3, 4)
    assert counted["open cases"] == (1, 2)


def test_overlaps_are_counted() -> None:
    counted = found(log_of({"c1": "A@0-10 B@5-20 C@25-30"}))
    assert counted["instances that begin before the one before them ended"][0] == 1


def test_equal_times_in_a_case_are_counted() -> None:
    counted = found(log_of({"c1": "A@0 B@0 C@0 D@1", "c2": "A@0"}))
    assert counted["events with the time of another event of their case"] == (2, 5)
    assert counted["cases with one event"] == (1, 2)


def test_late_events_are_counted() -> None:
    frame = events_of({"c1": "A@5 B@1 C@9"})
    counted = found(EventLog.from_frame(frame))
    assert counted["events that stand in the source after later ones"][0] == 1


def test_a_log_without_a_process_load_has_nothing_to_share() -> None:
    quality = log_quality(log_of({}))
    assert quality["count"].to_list() == [0] * quality.height
    assert quality["share"].null_count() == quality.height


@pytest.mark.parametrize(
    ("moment", "finding"),
    [
        (at(0).replace(year=2100), "events in the future"),
        (at(0).replace(year=1949), "events before 1980"),
    ],
)
def test_times_that_cannot_be_right_are_counted(moment: object, finding: str) -> None:
    frame = events_of({"c1": "A@0 B@1"})
    moved = pl.when(activity="A").then(pl.lit(moment, pl.Datetime("us"))).otherwise("timestamp")
    counted = found(EventLog.from_frame(frame.with_columns(timestamp=moved)))
    assert counted[finding] == (1, 2)
