"""Where pm4py has the same notion, both find the same, on real logs and on random ones.

The terms: both get the same frame, read by our own sources; where a log has starts, only its
completions, because pm4py takes every event for an activity of its own. pm4py orders a case by time
and leaves equal times as they stand, so it gets the events by case, time and position.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.registry import source_class
from miner import activities, case_times, directly_follows, rework, summary, variants
from miner.eventlog import lifecycle
from miner.eventlog.log import EventLog
from tests.ingest.reading import read
from tests.logs import events_of

LOGS = (
    "bpic2012.xes.gz",
    "bpic2013_incidents.xes.gz",
    "bpic2017_w.csv.gz",
    "bpic2019_one_per_variant.xes.gz",
    "helpdesk.xes.gz",
    "helpdesk_finale.csv.gz",
    "receipt.csv.gz",
    "sepsis.xes.gz",
    "servicenow_incidents.csv.gz",
)
KNOWN = {
    "bpic2012.xes.gz": (13_087, 262_200, 24),
    "bpic2013_incidents.xes.gz": (7_554, 65_533, None),
    "bpic2017_w.csv.gz": (30_276, 2 * 240_854, None),  # a start and a completion per row
    "bpic2019_one_per_variant.xes.gz": (11_973, 338_247, 42),
    "helpdesk.xes.gz": (4_580, 21_348, None),
    "helpdesk_finale.csv.gz": (4_580, 21_348, None),
    "receipt.csv.gz": (1_434, 8_577, 27),
    "sepsis.xes.gz": (1_050, 15_214, 16),
    "servicenow_incidents.csv.gz": (20_769, 119_998, None),
}
"""Cases, events and activities, as the readme of the logs and their publishers state them."""

USED = ("case_id", "activity", "timestamp", "position")


def test_every_real_log_is_compared(shared_logs: Path) -> None:
    assert sorted(file.name for file in (shared_logs / "real").iterdir()) == sorted(LOGS)


@pytest.mark.parametrize("name", LOGS)
def test_on_a_real_log(shared_logs: Path, name: str) -> None:
    frame = _read(shared_logs / "real" / name)
    cases, events, names = KNOWN[name]
    assert (frame["case_id"].n_unique(), frame.height) == (cases, events)
    assert names is None or frame["activity"].n_unique() == names
    completions = _completions(frame)
    _compare(completions)


def test_bpic_2012_has_the_variants_its_publishers_count(shared_logs: Path) -> None:
    frame = _completions(_read(shared_logs / "real" / "bpic2012.xes.gz"))
    assert frame.height == 164_506
    assert variants(EventLog.from_frame(frame)).height == 4_336


_traces = st.dictionaries(
    st.sampled_from(["c1", "c2", "c3", "c4"]),
    st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 6)), min_size=1, max_size=9),
    min_size=1,
)


@settings(max_examples=25, deadline=None)
@given(_traces)
def test_on_random_logs(traces: dict[str, list[tuple[str, int]]]) -> None:
    steps = {
        case: " ".join(f"{name}@{minute}" for name, minute in trace)
        for case, trace in traces.items()
    }
    frame = events_of(steps).select(USED)
    _compare(frame)


def _compare(frame: pl.DataFrame) -> None:
    ours, theirs = _ours(frame), _theirs(frame)
    assert ours.keys() == theirs.keys()
    for notion, found in ours.items():
        assert found == theirs[notion], notion


def _read(path: Path) -> pl.DataFrame:
    kind = source_class("xes" if ".xes" in path.name else "csv")
    frame = read(kind(path=str(path)))  # type: ignore[arg-type, call-arg]
    assert frame["reason"].null_count() == frame.height
    return frame.select(*USED, "lifecycle")


def _completions(frame: pl.DataFrame) -> pl.DataFrame:
    meaning = lifecycle.mapping(frame["lifecycle"].drop_nulls().unique().to_list())
    word = pl.col("lifecycle").replace_strict(meaning, return_dtype=pl.String)
    return frame.filter(word.fill_null("complete") == "complete").select(USED)


def _ours(frame: pl.DataFrame) -> dict[str, Any]:
    log = EventLog.from_frame(frame)
    figures, graph = summary(log), directly_follows(log)
    starts = graph.filter(pl.col("activity").is_null())
    ends = graph.filter(pl.col("next_activity").is_null())
    paths = graph.filter(
        pl.col("activity").is_not_null() & pl.col("next_activity").is_not_null()
    ).select("activity", "next_activity", "frequency")
    again = rework(log).filter(pl.col("repeated_cases") > 0)
    times = case_times(log)
    return {
        "cases": figures.cases,
        "events": figures.events,
        "activities": dict(activities(log).select("activity", "frequency").iter_rows()),
        "variants": {tuple(row[0]): row[1] for row in variants(log)["activities", "cases"].rows()},
        "directly follows": {(one, other): number for one, other, number in paths.iter_rows()},
        "starts": dict(starts.select("next_activity", "frequency").iter_rows()),
        "ends": dict(ends.select("activity", "frequency").iter_rows()),
        "durations": sorted(times["cycle_time"].dt.total_microseconds().to_list()),
        "rework": dict(again.select("activity", "repeated_cases").iter_rows()),
    }


def _theirs(frame: pl.DataFrame) -> dict[str, Any]:
    import pm4py

    ordered = frame.sort("case_id", "timestamp", "position", maintain_order=True)
    events = pm4py.format_dataframe(
        ordered.select("case_id", "activity", "timestamp").to_pandas(),
        case_id="case_id",
        activity_key="activity",
        timestamp_key="timestamp",
    )
    graph, starts, ends = pm4py.discover_dfg(events)
    seconds = pm4py.get_all_case_durations(events)
    return {
        "cases": events["case:concept:name"].nunique(),
        "events": len(events),
        "activities": events["concept:name"].value_counts().to_dict(),
        "variants": {tuple(trace): cases for trace, cases in pm4py.get_variants(events).items()},
        "directly follows": dict(graph),
        "starts": dict(starts),
        "ends": dict(ends),
        "durations": sorted(round(number * 1e6) for number in seconds),
        "rework": dict(pm4py.get_rework_cases_per_activity(events)),
    }
