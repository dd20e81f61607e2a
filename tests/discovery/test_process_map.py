from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.discovery.process_map import (
    MAP_ACTIVITIES,
    MAP_PATHS,
    ProcessMap,
    opening_view,
    process_map,
    simplify,
)
from tests.drawing.maps import map_of, map_of_log

traces = st.lists(st.text("ABCDEFGH", min_size=1, max_size=9), min_size=1, max_size=25)
shares = st.floats(0, 1)


def map_of_traces(cases: list[str]) -> ProcessMap:
    counts: dict[tuple[str | None, str | None], int] = defaultdict(int)
    for trace in cases:
        for pair in zip([None, *trace], [*trace, None], strict=True):
            counts[pair] += 1
    return map_of([(a, b, n) for (a, b), n in counts.items()])


def arcs(found: ProcessMap) -> set[tuple[str | None, str | None]]:
    return set(found.paths.select("activity", "next_activity").rows())


def names(found: ProcessMap) -> set[str]:
    return set(found.activities["activity"])


def reached(pairs: set[tuple[str | None, str | None]]) -> set[str]:
    """Activities to be reached from the start along these arcs."""
    after = defaultdict(set)
    for source, target in pairs:
        after[source].add(target)
    seen: set[str | None] = set()
    fresh = after[None]
    while fresh:
        seen |= fresh
        fresh = set().union(*(after[one] for one in fresh if one is not None)) - seen
    return {name for name in seen if name is not None}


def is_connected(found: ProcessMap) -> bool:
    forward = arcs(found)
    backward = {(b, a) for a, b in forward}
    return reached(forward) == names(found) == reached(backward)


@settings(max_examples=150, deadline=None)
@given(traces, shares, shares)
def test_every_activity_lies_on_a_way_from_start_to_end(
    cases: list[str], activities: float, paths: float
) -> None:
    whole = map_of_traces(cases)
    found = simplify(whole, activities=activities, paths=paths)
    assert is_connected(found)
    assert names(found)
    assert arcs(found) <= arcs(whole)


@settings(max_examples=150, deadline=None)
@given(traces, st.tuples(shares, shares), st.tuples(shares, shares), st.integers(1, 60))
def test_a_higher_share_keeps_all_that_a_lower_one_kept(
    cases: list[str], one: tuple[float, float], other: tuple[float, float], most_paths: int
) -> None:
    whole = map_of_traces(cases)
    low, high = (
        simplify(whole, activities=pick(one[0], other[0]), paths=pick(one[1], other[1]),
                 most_paths=most_paths)
        for pick in (min, max)
    )  # fmt: skip
    assert names(low) <= names(high)
    assert arcs(low) <= arcs(high)


@settings(max_examples=60, deadline=None)
@given(traces, st.integers(1, 60))
def test_the_cap_on_paths_gives_way_only_to_one_connected_activity(
    cases: list[str], most_paths: int
) -> None:
    whole = map_of_traces(cases)
    found = simplify(whole, most_paths=most_paths)
    assert is_connected(found)
    least = simplify(whole, activities=0, paths=0)
    assert found.paths.height <= max(most_paths, least.paths.height)


@settings(max_examples=40, deadline=None)
@given(traces)
def test_share_one_keeps_everything(cases: list[str]) -> None:
    whole = map_of_traces(cases)
    found = simplify(whole)
    assert found.activities.equals(whole.activities)
    assert found.paths.equals(whole.paths)


def test_a_rare_activity_in_between_is_kept_rather_than_a_path_made_up() -> None:
    whole = map_of(
        [(None, "Gate", 3), ("Gate", "Work", 3), ("Work", "Work", 90), ("Work", None, 3)]
    )
    found = simplify(whole, activities=0.5, paths=0)
    assert names(found) == {"Gate", "Work"}
    assert arcs(found) == {(None, "Gate"), ("Gate", "Work"), ("Work", None)}
    assert found.paths["connecting"].all()


def test_activities_are_connected_by_the_way_whose_rarest_path_is_most_frequent() -> None:
    whole = map_of(
        [
            (None, "A", 10), ("A", "X", 2), ("X", "B", 9), ("A", "Y", 5), ("Y", "B", 5),
            ("B", None, 14), ("A", "B", 3),
        ]
    )  # fmt: skip
    found = simplify(whole, activities=0.25, paths=0)
    assert arcs(found) == {(None, "A"), ("A", "Y"), ("Y", "B"), ("B", None)}


def test_ties_are_broken_by_name() -> None:
    pairs = [(None, "b", 1), (None, "a", 1), ("a", None, 1), ("b", None, 1)]
    found = simplify(map_of(pairs), activities=0.5, paths=0)
    again = simplify(map_of(pairs[::-1]), activities=0.5, paths=0)
    assert names(found) == names(again) == {"a"}
    assert found.paths.equals(again.paths)


def test_totals_are_those_of_the_whole() -> None:
    kinds = [f"Kind {number:02}" for number in range(20)]
    whole = map_of(
        [arc for n, k in enumerate(kinds) for arc in ((None, k, n + 1), (k, None, n + 1))]
    )
    found = simplify(whole, activities=0.2, paths=0.1)
    assert names(found) == {"Kind 16", "Kind 17", "Kind 18", "Kind 19"}
    assert (found.activities_total, found.paths_total) == (20, 40)


def test_an_empty_map_stays_empty() -> None:
    whole = process_map(
        pl.DataFrame(schema=MAP_PATHS).drop("connecting"), pl.DataFrame(schema=MAP_ACTIVITIES)
    )
    found = simplify(whole, activities=0.5)
    assert (found.activities.schema, found.paths.schema) == (MAP_ACTIVITIES, MAP_PATHS)
    assert found.activities.is_empty()
    assert found.paths.is_empty()
    assert opening_view(whole) == (1.0, 1.0)


def test_an_activity_without_a_row_of_its_own_gets_one_from_its_paths() -> None:
    whole = map_of([(None, "A", 4), ("A", None, 4)])
    found = process_map(whole.paths.drop("connecting"), pl.DataFrame(schema=MAP_ACTIVITIES))
    assert found.activities.rows() == [("A", 4, None, None, None, None)]


def test_a_small_map_opens_whole() -> None:
    assert opening_view(map_of([(None, "A", 4), ("A", "B", 4), ("B", None, 4)])) == (1.0, 1.0)


@pytest.mark.parametrize(
    "name", ["receipt.csv.gz", "helpdesk_finale.csv.gz", "servicenow_incidents.csv.gz"]
)
def test_a_real_log_opens_readable_and_connected(shared_logs: Path, name: str) -> None:
    whole = map_of_log(shared_logs / "real" / name)
    activities, paths = opening_view(whole)
    found = simplify(whole, activities=activities, paths=paths)
    assert is_connected(found)
    assert found.activities.height <= 45
    assert found.paths.height <= 70


def test_a_map_of_many_thousand_activities_is_simplified_in_time() -> None:
    chain = [None, *(f"{number:05}" for number in range(20_000)), None]
    pairs = [(a, b, 5) for a, b in pairwise(chain)]
    pairs += [(None, name, 1) for name in chain[1:-1:7]] + [
        (name, None, 1) for name in chain[1:-1:5]
    ]
    found = simplify(map_of_arcs(pairs))
    assert found.paths_total == len(pairs)
    assert is_connected(found)


def map_of_arcs(pairs: list[tuple[str | None, str | None, int]]) -> ProcessMap:
    frame = pl.DataFrame(pairs, schema=["activity", "next_activity", "frequency"], orient="row")
    unknown = [pl.lit(None).alias(name) for name in ("cases", "median", "p95")]
    return process_map(frame.with_columns(unknown), pl.DataFrame(schema=MAP_ACTIVITIES))
