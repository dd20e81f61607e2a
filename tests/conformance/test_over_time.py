"""When conformance changed, which version deviates where, and what deviating costs."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from miner.conformance.impact import causes, impact
from miner.conformance.over_time import (
    change_of_conformance,
    conformance_over_time,
    deviation_matrix,
)
from miner.eventlog.log import EventLog
from tests.conformance.models import held_against, sequence
from tests.logs import START

AB = sequence("a", "b")


def days(traces: list[str], *, versions: list[str] | None = None, **columns: list[str]) -> EventLog:
    """A case a day: the letters of each trace, an hour apart."""
    rows = [
        (
            f"c{number:04}",
            name,
            START + timedelta(days=number, hours=hour),
            versions[number] if versions else None,
            *(values[number] for values in columns.values()),
        )
        for number, trace in enumerate(traces)
        for hour, name in enumerate(trace)
    ]
    names = ("case_id", "activity", "timestamp", "process_version", *columns)
    return EventLog.from_frame(pl.DataFrame(rows, schema=names, orient="row"))


def test_a_week_counts_the_cases_that_began_in_it() -> None:
    weeks = conformance_over_time(held_against(days(["ab"] * 7 + ["a"] * 3 + ["ab"]), AB))
    assert weeks.select("cases", "conforming_cases", "conformance_rate").rows() == [
        (7, 7, 1.0),
        (4, 1, 0.25),
    ]
    assert weeks["week"].to_list() == [START.replace(hour=0), START.replace(hour=0, day=12)]


def test_the_matrix_has_what_deviates_in_each_version_and_since_when() -> None:
    log = days(["ab", "a", "ab", "axb", "axb"], versions=["1", "1", "1", "10", "10"])
    matrix = deviation_matrix(held_against(log, AB))
    assert matrix.select("version", "activity", "kind", "cases", "share").rows() == [
        ("1", "b", "skipped", 1, 1 / 3),
        ("10", "x", "extra", 2, 1.0),
    ]
    assert matrix["first_seen"].to_list() == [START + timedelta(days=1), START + timedelta(days=3)]
    assert matrix["last_seen"].to_list() == [START + timedelta(days=1), START + timedelta(days=4)]


def test_a_change_is_found_at_the_case_it_began_with() -> None:
    found = change_of_conformance(held_against(days(["ab"] * 60 + ["a", "a", "ab"] * 20), AB))
    assert found.select("case_index", "rate_before").rows() == [(61, 1.0)]
    assert found["rate_after"].item() == pytest.approx(1 / 3)
    assert found["at"].item() == START + timedelta(days=60)
    assert found["p_value"].item() < 1e-6


@pytest.mark.parametrize("traces", [["ab", "a"] * 60, ["ab"] * 120, ["a"] * 39, []])
def test_where_nothing_changed_or_too_little_is_known_there_is_no_change(
    traces: list[str],
) -> None:
    log = days([*traces, "ab"])
    assert change_of_conformance(held_against(log, AB)).is_empty()


def test_impact_compares_with_cases_that_are_alike() -> None:
    # In region N all is slow, and most deviations are there: compared blindly they look slow.
    slow, fast = "a" + "." * 9 + "b", "ab"
    traces = [slow] * 10 + [slow + "x"] * 30 + [fast] * 30 + [fast + "x"] * 10
    regions = ['{"region": "N"}'] * 40 + ['{"region": "S"}'] * 40
    log = days(traces, case_attributes=regions)
    log = EventLog.from_frame(
        log.query(
            "select case_id, activity, timestamp, c.attributes::json::varchar as case_attributes "
            "from recorded_event join activity using (activity_key) "
            "join case_identity as c using (case_key) where activity <> '.'",
            pl.Schema(
                {
                    "case_id": pl.String(),
                    "activity": pl.String(),
                    "timestamp": pl.Datetime("us"),
                    "case_attributes": pl.String(),
                }
            ),
        )
    )
    held = held_against(log, AB)
    blind, alike = impact(held), impact(held, matched_on=["region"])
    assert (alike.deviating_cases, alike.conforming_cases, alike.matched_cases) == (40, 40, 40)
    assert alike.added_cycle_time == timedelta(hours=1)
    assert alike.added_cycle_time_low == alike.added_cycle_time_high == timedelta(hours=1)
    assert blind.added_cycle_time == timedelta(hours=5.5)
    assert alike.added_failure_rate == 0


def test_impact_of_too_few_cases_is_unknown() -> None:
    found = impact(held_against(days(["ab", "a"]), AB))
    assert (found.deviating_cases, found.conforming_cases, found.matched_cases) == (1, 1, 0)
    assert found.added_cycle_time is None and found.added_failure_rate is None


def test_causes_find_the_value_that_goes_with_deviating() -> None:
    traces = (["a"] * 30 + ["ab"] * 10) + (["a"] * 10 + ["ab"] * 150)
    regions = ['{"region": "N", "size": 1}'] * 40 + ['{"region": "S", "size": 1}'] * 160
    found = causes(held_against(days(traces, case_attributes=regions), AB))
    assert found.select("attribute", "value", "cases", "deviating_cases").rows() == [
        ("region", "N", 40, 30),
        ("region", "S", 160, 10),
    ]
    assert found["lift"].to_list() == pytest.approx([(30 / 40) / (40 / 200), (10 / 160) / 0.2])
    low, high = found.select("lift_low", "lift_high").row(0)
    assert 1 < low < 3.75 < high
    assert found["adjusted_p_value"].max() < 1e-6


def test_causes_say_nothing_of_values_with_few_cases_or_without_any_deviation() -> None:
    regions = ['{"region": "N"}'] * 5 + ['{"region": "S"}'] * 60
    deviating = days(["a"] * 5 + ["ab"] * 60, case_attributes=regions)
    assert causes(held_against(deviating, AB))["value"].to_list() == ["S"]
    conforming = days(["ab"] * 65, case_attributes=regions)
    assert causes(held_against(conforming, AB)).is_empty()


def test_causes_find_one_resource_among_many() -> None:
    rows = [
        (f"c{case:04}", name, START + timedelta(hours=case, minutes=step), resource)
        for case in range(1_800)
        for resource in [f"r{case % 60:02}"]
        for step, name in enumerate("a" if resource == "r07" and case % 2 else "ab")
    ]
    names = ("case_id", "activity", "timestamp", "resource")
    log = EventLog.from_frame(pl.DataFrame(rows, schema=names, orient="row"))
    found = causes(held_against(log, AB))
    assert found.select("attribute", "value", "cases", "deviating_cases").row(0) == (
        ("resource", "r07", 30, 30)
    )
