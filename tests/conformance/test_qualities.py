from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings

from miner.conformance.qualities import qualities, simplicity
from miner.model.process_model import ProcessModel, model_of_net, model_of_tree
from miner.model.process_tree import TAU, Operator, activity, tree
from miner.model.tree_net import net_of_tree
from miner.model.workflow_net import Arc, Transition, WorkflowNet
from tests.discovery.test_discover import found_in, traces, variants_of

A, B, C, D = map(activity, "abcd")
SEQUENCE = model_of_tree("abc", tree(Operator.SEQUENCE, A, B, C))
FLOWER = model_of_tree("any", tree(Operator.LOOP, TAU, tree(Operator.EXCLUSIVE, A, B, C, D)))


def test_a_log_that_fits_has_fitness_and_precision_one() -> None:
    found = qualities(SEQUENCE, variants_of({"abc": 3}))
    assert (found.fitness, found.log_fitness, found.precision) == (1.0, 1.0, 1.0)
    assert (found.fitness_covered_cases, found.fitting_cases, found.precision_covered) == (3, 3, 1)
    assert found.notes == ()


def test_the_flower_fits_everything_and_is_not_precise() -> None:
    found = qualities(FLOWER, variants_of({"abcd": 3}))
    assert found.fitness == 1.0
    # Each of four activities is possible at each of four places, and one of them happens.
    assert found.precision == 1 / 4


def test_fitness_counts_cost_against_the_worst_cost() -> None:
    found = qualities(SEQUENCE, variants_of({"abc": 1, "abcd": 1, "ac": 1}))
    # One extra event of 4 + 3, one missing of 2 + 3.
    assert found.fitness == pytest.approx((1 + (1 - 1 / 7) + (1 - 1 / 5)) / 3)
    assert found.log_fitness == pytest.approx(1 - 2 / (6 + 7 + 5))
    assert found.fitting_cases == 1


def test_extra_work_at_the_end_is_not_overlooked() -> None:
    assert qualities(SEQUENCE, variants_of({"abcd": 1})).fitness == pytest.approx(0.857, abs=0.001)


def test_a_trace_of_unknown_activities_has_fitness_zero() -> None:
    assert qualities(SEQUENCE, variants_of({"xyz": 2})).fitness == 0.0


def test_a_trace_without_events_costs_the_shortest_run() -> None:
    found = qualities(SEQUENCE, variants_of({"": 1}))
    assert found.fitness == 0.0
    assert found.precision is None
    assert qualities(FLOWER, variants_of({"": 1})).fitness == 1.0


def test_beginnings_that_cannot_be_replayed_have_no_part_in_precision() -> None:
    found = qualities(SEQUENCE, variants_of({"abc": 1, "xbc": 1}))
    # Two at the start and two after "a"; two after "x", which is not in the model.
    assert (found.precision, found.precision_covered) == (1.0, 4 / 6)
    assert found.notes == (
        "Precision covers 66.7% of the beginnings of traces; the model cannot replay the others.",
    )


def test_generalization_doubts_activities_that_were_matched_rarely() -> None:
    found = qualities(SEQUENCE, variants_of({"abc": 4, "ab": 5}))
    expected = 1 - (1 / math.sqrt(9) + 1 / math.sqrt(9) + 1 / math.sqrt(4)) / 3
    assert found.generalization == pytest.approx(expected)
    unseen = model_of_tree("abd", tree(Operator.EXCLUSIVE, A, D))
    assert qualities(unseen, variants_of({"a": 4})).generalization == 1 - (1 / 2 + 1) / 2
    twice = model_of_tree("aa", tree(Operator.SEQUENCE, A, A))
    assert qualities(twice, variants_of({"aa": 4})).generalization is None


def test_simplicity_is_one_for_a_sequence_and_falls_with_arcs() -> None:
    assert simplicity(SEQUENCE.net) == 1.0
    choice = net_of_tree(tree(Operator.EXCLUSIVE, A, B, C, D))
    assert simplicity(choice) == 1 / (1 + 16 / 6 - 2)


def test_without_cases_nothing_is_known_but_simplicity() -> None:
    found = qualities(SEQUENCE, variants_of({}))
    assert (found.fitness, found.log_fitness, found.precision) == (None, None, None)
    assert (found.cases, found.fitness_covered_cases, found.fitting_cases) == (0, 0, 0)
    assert found.simplicity == 1.0


def test_no_time_to_align_leaves_out_what_does_not_fit_and_says_so() -> None:
    found = qualities(SEQUENCE, variants_of({"abc": 3, "acb": 1}), seconds=0.0)
    assert (found.fitness, found.fitness_covered_cases) == (1.0, 3)
    assert found.notes[-1] == (
        "Fitness covers 3 of 4 cases (75.0%), those of the most frequent variants; time did not "
        "allow for more."
    )


def test_what_fits_does_not_stand_for_what_there_was_no_time_for() -> None:
    found = qualities(SEQUENCE, variants_of({"abc": 3, "acb": 2, "abbc": 2, "": 1}), seconds=0.0)
    assert (found.fitness_covered_cases, found.fitting_cases) == (3, 3)
    flower = qualities(FLOWER, variants_of({"ax": 3, "a": 2}), seconds=0.0)
    assert (flower.fitness, flower.fitness_covered_cases, flower.fitting_cases) == (None, 0, 2)


def net(final: str, *arcs: Arc) -> ProcessModel:
    transitions = (Transition("t1", "a"), Transition("t2", None))
    return model_of_net(
        "net", WorkflowNet(("p1", "p2", "p3"), transitions, arcs, (("p1", 1),), ((final, 1),))
    )


def test_a_net_that_cannot_end_has_no_fitness() -> None:
    found = qualities(net("p3", Arc("p1", "t1"), Arc("t1", "p2")), variants_of({"a": 1}))
    assert found.fitness is None
    assert "Fitness is not known" in found.notes[-1]


def test_a_net_without_bound_ends_the_search_and_says_so() -> None:
    grows = net("p2", Arc("p1", "t1"), Arc("t1", "p2"), Arc("p2", "t2", 1), Arc("t2", "p2", 2))
    found = qualities(grows, variants_of({"a": 1}))
    assert found.precision is None
    assert "Precision is not known: the model has too many states." in found.notes


@settings(max_examples=25, deadline=None)
@given(traces)
def test_fitness_agrees_with_pm4py(counts: dict[str, int]) -> None:
    found = found_in(counts, algorithm="inductive-variants", noise=0.3)
    expected = of_pm4py(found.model, counts)
    assert found.fitness == pytest.approx(expected["averageFitness"])
    # pm4py charges a ten-thousandth of a move for silent steps.
    assert found.log_fitness == pytest.approx(expected["log_fitness"], abs=0.002)


@pytest.mark.parametrize(
    "counts",
    [
        {"abcd": 5, "acbd": 4, "abd": 1},
        {"abab": 3, "ab": 3, "abcab": 1},
        {"ac": 4, "bd": 3, "ad": 1},
        {"abcd": 3, "bacd": 2, "abdc": 1, "dcba": 1},
    ],
)
def test_precision_agrees_with_pm4py_where_a_prefix_has_one_marking(
    counts: dict[str, int],
) -> None:
    found = found_in(counts, algorithm="inductive-variants", noise=0.0)
    assert found.precision == pytest.approx(of_pm4py(found.model, counts)["precision"])


def of_pm4py(model: ProcessModel, counts: Mapping[str, int]) -> dict[str, Any]:
    """Alignment fitness and token-based ETC precision by pm4py."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pandas as pd
        import pm4py

        pm4py.util.constants.SHOW_PROGRESS_BAR = False
        rows = []
        for trace, cases in counts.items():
            rows += [(f"{trace}{n}", name) for n in range(cases) for name in trace]
        frame = pd.DataFrame(rows, columns=["case:concept:name", "concept:name"])
        frame["time:timestamp"] = pd.date_range(
            "2026-01-01", periods=len(frame), freq="s", tz="UTC"
        )
        pm4py_net = of_pm4py_net(model)
        result = pm4py.fitness_alignments(frame, *pm4py_net)
        result["precision"] = pm4py.precision_token_based_replay(frame, *pm4py_net)
        return dict(result)


def of_pm4py_net(model: ProcessModel) -> tuple[Any, Any, Any]:
    import tempfile
    from pathlib import Path

    from miner.model.pnml import to_pnml
    from tests.model.languages import read_pnml

    with tempfile.TemporaryDirectory() as folder:
        return read_pnml(to_pnml(model), Path(folder))
