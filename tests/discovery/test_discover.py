from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.discovery.discover import ALGORITHMS, Algorithm, discover, paths_of
from miner.discovery.frequent_paths import frequent_paths
from miner.errors import InputError, UnknownNameError
from miner.model.process_model import model_of_net
from tests.model.languages import of_automaton

traces = st.dictionaries(
    st.text("abcd", min_size=1, max_size=6), st.integers(1, 5), min_size=1, max_size=6
)


def variants_of(counts: Mapping[str, int]) -> pl.DataFrame:
    """Variants with letters as activities: `{"abc": 3}`."""
    rows = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return pl.DataFrame(
        {"activities": [list(trace) for trace, _ in rows], "cases": [n for _, n in rows]},
        schema={"activities": pl.List(pl.String()), "cases": pl.Int64()},
    )


def found_in(counts: Mapping[str, int], **options: Any) -> Any:
    variants = variants_of(counts)
    return discover(paths_of(variants), variants, name="letters", **options)


def test_paths_count_what_follows_what_with_start_and_end() -> None:
    assert paths_of(variants_of({"aab": 2, "b": 1})).rows() == [
        (None, "a", 2),
        (None, "b", 1),
        ("a", "a", 2),
        ("a", "b", 2),
        ("b", None, 3),
    ]


def test_the_default_finds_sequence_choice_and_parallel_work() -> None:
    found = found_in({"abcd": 5, "acbd": 5, "ad": 5})
    assert found.algorithm == "inductive"
    assert found.model.process_tree == "->( 'a', X( tau, +( 'c', 'b' ) ), 'd' )"
    assert (found.fitness, found.log_fitness, found.precision) == (1.0, 1.0, 1.0)
    assert (found.cases, found.covered_cases, found.variants, found.covered_variants) == (
        15,
        15,
        3,
        3,
    )
    assert found.notes == ()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_finds_a_plain_sequence(algorithm: Algorithm) -> None:
    found = found_in({"abc": 10}, algorithm=algorithm)
    assert of_automaton(found.model, 6) == {("a", "b", "c")}
    assert (found.fitness, found.precision) == (1.0, 1.0)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_copes_with_one_event(algorithm: Algorithm) -> None:
    found = found_in({"a": 1}, algorithm=algorithm)
    assert of_automaton(found.model, 3) == {("a",)}
    assert found.fitness == 1.0


def test_noise_leaves_out_rare_paths() -> None:
    counts = {"abc": 95, "acb": 5}
    assert found_in(counts, noise=0.0).model.process_tree == "->( 'a', +( 'c', 'b' ) )"
    quiet = found_in(counts, noise=0.2)
    assert quiet.model.process_tree == "->( 'a', 'b', 'c' )"
    assert quiet.quality.fitting_cases == 95
    assert quiet.fitness == pytest.approx(0.95 + 0.05 * (1 - 2 / 6))
    assert quiet.log_fitness == pytest.approx(1 - 5 * 2 / (100 * 6))


def test_rare_activities_keep_their_strongest_connection() -> None:
    paths = {
        (None, "a"): 100,
        ("a", "b"): 100,
        ("b", None): 99,
        ("b", "x"): 1,
        ("x", "a"): 1,
        ("x", None): 1,
    }
    kept = frequent_paths(paths, 0.5)
    assert ("b", "x") in kept
    assert ("x", None) in kept
    assert frequent_paths(paths, 0.0) == paths


@settings(max_examples=60, deadline=None)
@given(traces, st.floats(0, 1))
def test_every_activity_stays_on_a_way_from_start_to_end(
    counts: dict[str, int], noise: float
) -> None:
    rows = paths_of(variants_of(counts)).iter_rows()
    paths = {(a, b): n for a, b, n in rows}
    kept = frequent_paths(paths, noise)
    names = {name for trace in counts for name in trace}
    assert reached(set(kept)) == names
    assert reached({(b, a) for a, b in kept}) == names
    assert kept.items() <= paths.items()


def reached(pairs: set[tuple[str | None, str | None]]) -> set[str]:
    found: set[str | None] = {None}
    while more := {b for a, b in pairs if a in found} - found:
        found |= more
    return {name for name in found if name is not None}


def test_a_budget_of_variants_says_what_it_covers() -> None:
    found = found_in(
        {"abc": 6, "acb": 3, "cab": 1}, algorithm="inductive-variants", coverage=0.9, noise=0.0
    )
    assert (found.covered_cases, found.covered_variants) == (9, 2)
    assert found.notes[0] == (
        "Made from the 2 most frequent of 3 variants, which are 9 of 10 cases (90.0%)."
    )
    assert found.quality.cases == 10
    assert found.quality.fitting_cases == 9


def test_a_number_of_variants_is_a_budget_too() -> None:
    found = found_in({"ab": 2, "ba": 1}, algorithm="inductive-variants", most_variants=1)
    assert found.model.process_tree == "->( 'a', 'b' )"
    assert found.covered_variants == 1


@settings(max_examples=40, deadline=None)
@given(traces)
def test_without_noise_all_variants_fit_the_tree_of_the_variants(counts: dict[str, int]) -> None:
    found = found_in(counts, algorithm="inductive-variants", noise=0.0)
    assert (found.fitness, found.log_fitness) == (1.0, 1.0)
    assert found.quality.fitting_cases == sum(counts.values())


@settings(max_examples=40, deadline=None)
@given(traces)
def test_the_paths_as_a_model_allow_every_variant_and_every_walk(counts: dict[str, int]) -> None:
    found = found_in(counts, algorithm="dfg", noise=0.0)
    assert found.fitness == 1.0
    pairs = {(a, b) for a, b, _ in paths_of(variants_of(counts)).iter_rows()}
    walks: set[tuple[str, ...]] = {()}
    for _ in range(4):
        last = [(walk, walk[-1] if walk else None) for walk in walks]
        walks |= {(*walk, b) for walk, a in last for x, b in pairs if x == a and b is not None}
    expected = {walk for walk in walks if walk and len(walk) <= 3 and (walk[-1], None) in pairs}
    assert of_automaton(model_of_net("dfg", found.model.net), 3) == expected


@settings(max_examples=40, deadline=None)
@given(traces, st.sampled_from(ALGORITHMS))
def test_shares_stay_between_nothing_and_all(counts: dict[str, int], algorithm: Algorithm) -> None:
    found = found_in(counts, algorithm=algorithm)
    shares = [found.fitness, found.log_fitness, found.precision, found.generalization]
    shares += [found.simplicity, found.quality.precision_covered]
    assert all(share is None or 0 <= share <= 1 for share in shares)
    assert found.quality.cases == sum(counts.values())
    assert found.fitness_covered_cases <= found.cases


def test_names_are_never_taken_for_syntax() -> None:
    names = ["tau", "->( 'a' )", "it's", 'say "x"', "two\nlines", "", "a\x00b", "漢字"]
    variants = pl.DataFrame({"activities": [names, names[::-1]], "cases": [2, 1]})
    for algorithm in ALGORITHMS:
        found = discover(paths_of(variants), variants, name="odd", algorithm=algorithm, noise=0.0)
        assert sorted(found.model.net.labels()) == sorted(names)


def test_of_very_many_activities_the_most_frequent_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("miner.discovery.discover.MOST_ACTIVITIES", 2)
    for algorithm in ALGORITHMS:
        found = found_in({"abc": 5, "ab": 5}, algorithm=algorithm)
        assert set(found.model.net.labels()) == {"a", "b"}
        assert (
            "Only the 2 most frequent of 3 activities are in the model (80.0% of the events)."
            in (found.notes)
        )
        assert found.quality.fitting_cases == 5


def test_six_hundred_activities_take_no_more_than_some_seconds() -> None:
    rows = [[f"x{(start + step) % 600}" for step in range(40)] for start in range(0, 600, 7)]
    variants = pl.DataFrame({"activities": rows, "cases": [1] * len(rows)})
    found = discover(paths_of(variants), variants, name="wide", quality_seconds=1, seconds=30)
    assert len(set(found.model.net.labels())) == 500


def test_a_search_that_takes_too_long_ends_with_a_hint() -> None:
    counts = {"abcabdbcad": 1, "badcbadc": 1, "dcbaabcd": 1}
    with pytest.raises(InputError, match="within 0 seconds") as raised:
        found_in(counts, seconds=0.0)
    assert "coverage" in raised.value.hint


def test_what_cannot_be_is_said_before_anything_starts() -> None:
    with pytest.raises(UnknownNameError, match="inductiv"):
        found_in({"a": 1}, algorithm="inductiv")
    with pytest.raises(InputError, match="noise is 2"):
        found_in({"a": 1}, noise=2.0)
    with pytest.raises(InputError, match="coverage is -1"):
        found_in({"a": 1}, coverage=-1.0)
    with pytest.raises(InputError, match="most_variants is 0"):
        found_in({"a": 1}, most_variants=0)
    with pytest.raises(InputError, match="no case"):
        found_in({})


def test_the_result_does_not_depend_on_the_hash_seed() -> None:
    code = """
import polars as pl
from miner.discovery.discover import ALGORITHMS, discover, paths_of
variants = pl.DataFrame({
    "activities": [list(t) for t in ("abcdef", "acbdfe", "abdcef", "adbcfe", "aef")],
    "cases": [9, 7, 5, 3, 1],
})
for algorithm in ALGORITHMS:
    print(discover(paths_of(variants), variants, name="x", algorithm=algorithm).model.sha256)
"""
    hashes = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PATH": "/usr/bin:/bin", "PYTHONPATH": "."},
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(hashes) == 1


def test_importing_discovery_and_models_is_light() -> None:
    code = (
        "import miner.discovery.discover, miner.model.bpmn_writer, miner.model.pnml, "
        "miner.model.picture, sys; "
        "print([m for m in ('pm4py', 'r4pm', 'pandas', 'networkx') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_mining_prints_nothing() -> None:
    code = """
import polars as pl
from miner.discovery.discover import ALGORITHMS, discover, paths_of
variants = pl.DataFrame({"activities": [list("abc"), list("bac")], "cases": [2, 1]})
for algorithm in ALGORITHMS:
    discover(paths_of(variants), variants, name="x", algorithm=algorithm)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (found.stdout, found.stderr) == ("", "")


def test_a_graph_on_which_the_miner_of_paths_fails_still_gives_a_model() -> None:
    found = found_in({"ad": 1, "aba": 1, "dab": 1}, algorithm="inductive")
    assert found.fitness == 1.0
