from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings

from miner import LogFilter, variants
from miner.discovery.variants import VARIANTS
from tests.discovery.test_directly_follows import traces
from tests.logs import log_of, minutes

LOG = {
    "c1": "A@0 B@10",
    "c2": "A@0 B@30",
    "c3": "A@0 B@50-",
    "c4": "A@0 C@5",
    "c5": "C@0",
}


def test_the_most_frequent_come_first() -> None:
    found = variants(log_of(LOG))
    assert found.select("variant", "activities", "cases", "open_cases").rows() == [
        (1, ["A", "B"], 3, 1),
        (2, ["A", "C"], 1, 0),
        (3, ["C"], 1, 0),
    ]
    assert found["share"].to_list() == pytest.approx([0.6, 0.2, 0.2])
    assert found["cumulative_share"].to_list() == pytest.approx([0.6, 0.8, 1])


def test_the_median_cycle_time_is_of_closed_cases() -> None:
    found = variants(log_of(LOG))
    assert found["median_cycle_time"].to_list() == [minutes(20), minutes(5), minutes(0)]
    assert variants(log_of({"c1": "A@0-"}))["median_cycle_time"].to_list() == [None]


def test_shares_stay_those_of_the_whole_log_when_only_the_top_is_shown() -> None:
    found = variants(log_of(LOG), top=1)
    assert found.select("activities", "share").rows() == [(["A", "B"], 0.6)]


def test_a_filter_ranks_the_variants_of_its_cases_anew() -> None:
    found = variants(log_of(LOG).filter(LogFilter.of("not activity B")))
    assert found.select("variant", "activities", "share").rows() == [
        (1, ["A", "C"], 0.5),
        (2, ["C"], 0.5),
    ]


def test_equal_variants_rank_by_the_case_that_ran_them_first() -> None:
    found = variants(log_of({"z": "B@0 A@1", "a": "A@0 B@1"}))
    assert found["activities"].to_list() == [["B", "A"], ["A", "B"]]


def test_repeated_activities_are_part_of_the_variant() -> None:
    found = variants(log_of({"c1": "A@0 A@1 A@2", "c2": "A@0 A@1"}))
    assert sorted(found["activities"].to_list()) == [["A", "A"], ["A", "A", "A"]]


def test_an_empty_log_has_no_variants() -> None:
    assert variants(log_of({})).equals(pl.DataFrame(schema=VARIANTS))
    assert variants(log_of({}), top=3).is_empty()


@settings(max_examples=30, deadline=None)
@given(traces)
def test_they_share_out_every_case_once(traces: dict[str, str]) -> None:
    found = variants(log_of(traces))
    assert found["cases"].sum() == len(traces)
    assert found["variant"].to_list() == list(range(1, found.height + 1))
    assert found["cases"].is_sorted(descending=True)
    assert found["activities"].list.join(">").is_unique().all()
    if traces:
        assert found["share"].sum() == pytest.approx(1)
        assert found["cumulative_share"].to_list()[-1] == pytest.approx(1)
