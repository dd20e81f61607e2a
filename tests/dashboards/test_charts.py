"""Charts: every figure can be sent to a browser, with the right words and numbers."""

from __future__ import annotations

import json

import polars as pl
import pytest

from dashboards.charts.bottlenecks import waiting_bars
from dashboards.charts.durations import activity_bars, cycle_time_histogram
from dashboards.charts.failures import failure_bars
from dashboards.charts.style import COLOURWAY
from dashboards.charts.timeline import MOST, case_timeline
from dashboards.charts.variants import coverage_curve
from miner import (
    EventLog,
    activity_times,
    bottlenecks,
    case,
    cycle_time_distribution,
    failures,
    variants,
)
from miner.drawing.palette import contrast
from tests.logs import at, log_of

TRACES = {
    **{f"c{n}": f"A@0-1 B@5-{10 + n} C@40-41" for n in range(9)},
    "slow": "A@0-1 B@5-9! B@20-30 C@9000-9001",
}


@pytest.fixture(scope="module")
def log() -> EventLog:
    return log_of(TRACES)


def test_the_histogram_counts_every_closed_case_and_says_what_the_last_bin_holds(
    log: EventLog,
) -> None:
    figure = cycle_time_histogram(cycle_time_distribution(log))
    sent = json.loads(figure.to_json())
    assert sum(figure.data[0].y) == 10
    assert sent["layout"]["colorway"] == list(COLOURWAY)
    assert "Cycle time (" in sent["layout"]["xaxis"]["title"]["text"]


def test_one_case_makes_a_histogram() -> None:
    figure = cycle_time_histogram(cycle_time_distribution(log_of({"c": "A@0 B@0"})))
    assert sum(figure.data[0].y) == 1


def test_bars_are_named_by_activity_and_measured_in_one_unit(log: EventLog) -> None:
    figure = activity_bars(activity_times(log))
    assert figure.layout.yaxis.ticktext[0] == "C"
    assert {trace.name for trace in figure.data} == {"Waiting (median)", "Service (median)"}


def test_activities_without_known_times_are_left_out() -> None:
    figure = activity_bars(activity_times(log_of({"c": "A@0 B@5-9"})))
    assert list(figure.layout.yaxis.ticktext) == ["B"]


def test_bottlenecks_name_both_sides_of_a_handover(log: EventLog) -> None:
    found = bottlenecks(log)
    figure = waiting_bars(found.filter(pl.col("previous_activity").is_not_null()))
    assert figure.layout.yaxis.ticktext[0] == "B → C"


def test_failures_carry_rate_and_number(log: EventLog) -> None:
    figure = failure_bars(failures(log))
    assert list(figure.data[0].x) == [1]
    assert figure.data[0].customdata[0] == "9.1 % of 11 attempts"


def test_the_curve_goes_on_to_the_last_variant_that_is_not_shown(log: EventLog) -> None:
    figure = coverage_curve(variants(log, top=1), 2)
    assert figure.data[-1].x == (1, 2)
    assert figure.data[-1].y == (0.9, 1)


def test_equal_names_stay_apart_and_attempts_show_in_the_timeline() -> None:
    told = case(log_of({"c": "B@0|2-4! B@5-9 B@10"}), "c")
    figure = case_timeline(told.timeline, at(10))
    assert [text.split(" ", 1)[0] for text in figure.layout.yaxis.ticktext] == ["1", "2", "3"]
    assert "failed" in figure.layout.yaxis.ticktext[0]
    assert {trace.name for trace in figure.data} >= {"queued", "failed", "completed"}
    json.loads(figure.to_json())


def test_what_still_runs_is_drawn_to_the_last_event() -> None:
    told = case(log_of({"c": "A@0-9 B@2-"}), "c")
    figure = case_timeline(told.timeline, told.completed_at)
    running = next(trace for trace in figure.data if trace.name == "running")
    assert running.x[0] == 7 * 60_000


def test_a_long_case_is_drawn_in_part() -> None:
    trace = " ".join(f"A@{n}" for n in range(MOST + 5))
    told = case(log_of({"c": trace}), "c")
    assert len(case_timeline(told.timeline, at(1)).layout.yaxis.ticktext) == MOST


def test_names_with_tags_are_text_in_charts() -> None:
    times = activity_times(log_of({"c": "<b>A</b>@0-9 B@10-11"}))
    assert "&lt;b&gt;A&lt;/b&gt;" in activity_bars(times).layout.yaxis.ticktext


@pytest.mark.parametrize("colour", COLOURWAY)
@pytest.mark.parametrize("ground", ["#ffffff", "#0e1117"])
def test_colours_stand_out_on_light_and_dark(colour: str, ground: str) -> None:
    assert contrast(colour, ground) >= 3
