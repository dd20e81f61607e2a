"""Figures of a log against a model, and the deviations they come from."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.conformance.conform import conformance, found_deviations, held_versions, median_fitness
from miner.conformance.deviations import deviations
from miner.conformance.sentences import sentence
from miner.eventlog.filters import LogFilter
from miner.eventlog.log import EventLog
from tests.conformance.models import held_against, sequence
from tests.logs import at, events_of, log_of, minutes

ABC = sequence("a", "b", "c")
SIX = {
    "fits": "a@0 b@1 c@2",
    "swaps": "a@1 c@2 b@6",
    "skips": "a@2 c@6",
    "repeats": "a@3 a@5 b@6 c@7",
    "replaces": "a@4 x@7 c@13",
    "adds": "x@5 a@6 b@7 c@8",
}


def kinds(log: EventLog) -> dict[str, list[tuple[str, str]]]:
    found = deviations(held_against(log, ABC))
    return {
        str(case): [(row["kind"], row["activity"]) for row in rows.iter_rows(named=True)]
        for (case,), rows in found.group_by("case_id", maintain_order=True)
    }


def test_fitness_is_the_mean_over_cases_and_log_fitness_pools_costs() -> None:
    found = conformance(held_against(log_of(SIX), ABC))
    # cost ÷ (events + 3): 0/6, 2/6, 1/5, 1/7, 2/6, 1/7
    assert (found.cases, found.conforming_cases, found.total_cost) == (6, 1, 7)
    assert found.conformance_rate == pytest.approx(1 / 6)
    assert found.fitness == pytest.approx(1 - (2 / 6 + 1 / 5 + 1 / 7 + 2 / 6 + 1 / 7) / 6)
    assert found.log_fitness == pytest.approx(1 - 7 / 37)
    assert (found.unaligned_cases, found.open_cases, found.unmodelled_cases) == (0, 0, 0)


def test_each_deviation_has_the_name_people_have_for_it() -> None:
    assert kinds(log_of(SIX)) == {
        "swaps": [("swapped", "c")],
        "skips": [("skipped", "b")],
        "repeats": [("repeated", "a")],
        "replaces": [("replaced", "x")],
        "adds": [("extra", "x")],
    }


def test_each_deviation_is_a_sentence() -> None:
    found = deviations(held_against(log_of(SIX), ABC))
    assert [sentence(row) for row in found.iter_rows(named=True)] == [
        "c was done out of order instead of after b.",
        "b was not done after a.",
        "a was done again, taking 2 minutes more.",
        "x was done instead of b.",
        "x was done though it should not have been.",
    ]


def test_a_deviation_leads_to_its_activity_instance() -> None:
    log = log_of({"c": "a@0 x@4(ann) b@5 c@6"})
    (row,) = deviations(held_against(log, ABC)).rows(named=True)
    assert (row["case_id"], row["number"], row["resource"]) == ("c", 2, "ann")
    assert (row["timestamp"], row["added_time"]) == (at(4), minutes(4))


def test_the_figures_count_a_replaced_activity_as_extra_and_skipped() -> None:
    found = found_deviations(held_against(log_of(SIX), ABC))
    assert found.select("activity", "kind", "cases", "events").rows() == [
        ("b", "skipped", 2, 2),
        ("x", "extra", 2, 2),
        ("a", "repeated", 1, 1),
        ("c", "swapped", 1, 1),
    ]
    added = dict(found.select("activity", "median_added").rows())
    assert added == {"b": None, "x": minutes(3), "a": minutes(2), "c": minutes(1)}


def test_what_the_engine_did_again_or_left_out_is_no_deviation() -> None:
    events = events_of({"c": "a@0 b@1! b@2! b@3 x@4/ c@5"})
    tries = pl.Series("attempt", [1, 1, 2, 3, 1, 1], dtype=pl.Int32())
    log = EventLog.from_frame(events.with_columns(tries))
    assert log.row('select retries from "case"')["retries"] == 2
    assert conformance(held_against(log, ABC)).total_cost == 0


def test_what_follows_a_retry_still_leads_to_its_activity_instance() -> None:
    events = events_of({"c": "a@0 b@1! b@3 x@4(ann) c@5", "plain": "a@0 b@1 c@2"})
    tries = pl.Series("attempt", [1, 1, 2, 1, 1, 1, 1, 1], dtype=pl.Int32())
    log = EventLog.from_frame(events.with_columns(tries))
    (row,) = deviations(held_against(log, ABC)).rows(named=True)
    assert (row["activity"], row["number"], row["resource"]) == ("x", 4, "ann")
    assert row["added_time"] == minutes(1)


def test_cases_that_still_run_are_not_judged() -> None:
    found = conformance(held_against(log_of({"open": "a@0 b@1-", "done": "a@0 b@1 c@2"}), ABC))
    assert (found.cases, found.open_cases, found.conformance_rate) == (1, 1, 1.0)


def test_without_a_closed_case_everything_is_unknown() -> None:
    found = conformance(held_against(log_of({"open": "a@0 b@1-"}), ABC))
    assert (found.cases, found.total_cost) == (0, 0)
    assert found.conformance_rate is None and found.fitness is None
    assert found.log_fitness is None and found.precision is None
    assert found.deviations.is_empty()


def test_a_filter_narrows_the_figures() -> None:
    log = log_of(SIX).filter(LogFilter.of("activity x"))
    found = conformance(held_against(log, ABC))
    assert (found.cases, found.total_cost) == (2, 3)
    assert median_fitness(held_against(log, ABC)) == pytest.approx((4 / 6 + 6 / 7) / 2)


def test_the_versions_add_up_to_the_whole() -> None:
    events = events_of(SIX).with_columns(
        process_version=pl.when(pl.col("case_id") < "r").then(pl.lit("1")).otherwise(pl.lit("2"))
    )
    held = held_against(EventLog.from_frame(events), ABC)
    rows = held_versions(held)
    whole = conformance(held)
    assert rows["version"].to_list() == ["1", "2"]
    assert rows["cases"].sum() == whole.cases
    assert rows["total_cost"].sum() == whole.total_cost
    assert (rows["fitness"] * rows["cases"]).sum() == pytest.approx((whole.fitness or 0) * 6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("abcx", max_size=6), min_size=1, max_size=8))
def test_the_deviations_of_a_case_add_up_to_its_cost(traces: list[str]) -> None:
    log = log_of(
        {
            f"c{number}": " ".join(f"{name}@{minute}" for minute, name in enumerate(trace))
            for number, trace in enumerate(traces)
            if trace
        }
        | {"known": "a@0 b@1 c@2 x@3"}
    )
    held = held_against(log, ABC)
    found = deviations(held)
    double = found["kind"].is_in(["swapped", "replaced"]).sum()
    assert found.height + double == conformance(held).total_cost
    done = found.filter(pl.col("kind") != "skipped")
    assert done["number"].null_count() == 0
    timeline = log.query(
        "select i.case_id, n.number, a.activity from activity_instance as n "
        "join case_identity as i using (case_key) join activity as a using (activity_key)",
        pl.Schema({"case_id": pl.String(), "number": pl.Int32(), "activity": pl.String()}),
    )
    named = done.select("case_id", "number", "activity")
    assert named.join(timeline, on=named.columns, how="anti").is_empty()


def test_generalization_and_simplicity_are_those_of_the_model_for_its_cases() -> None:
    found = conformance(held_against(log_of(SIX), ABC))
    # a: 6 done, 1 of them extra; b: 4 matched (one is out of order); c: 6 done, 1 of them moved
    times = {"a": 6, "b": 4, "c": 5}
    expected = 1 - sum(1 / count**0.5 for count in times.values()) / 3
    assert found.generalization == pytest.approx(expected)
    assert found.simplicity == 1.0
