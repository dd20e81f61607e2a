from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.conformance.alignments import MOVES, Traces, align, alignment_of
from miner.model.process_model import ProcessModel, model_of_net, model_of_tree
from miner.model.process_tree import TAU, Operator, ProcessTree, activity, tree
from miner.model.workflow_net import Arc, Transition, WorkflowNet
from tests.conformance.alignment_checks import (
    check,
    costs_of_r4pm,
    net_read_by_pm4py,
    without_tree,
)
from tests.conformance.test_qualities import of_pm4py_net
from tests.model.languages import trees

A, B, C, D = map(activity, "abcd")
SEQUENCE = model_of_tree("abc", tree(Operator.SEQUENCE, A, B, C))
LOGS = st.lists(st.text("abcdx", max_size=7), min_size=1, max_size=6)
PAIRS = {"BPIC2013-ClosedProblems": 183, "BPIC2020-DomesticDeclarations": 99,
         "BPIC2013-incidents": 1511}  # fmt: skip


def distinct(node: ProcessTree, names: list[str] | None = None) -> ProcessTree:
    """`node` with another activity at each leaf."""
    left = list("abcdefghijk") if names is None else names
    if node.operator is None:
        return node if node.label is None else activity(left.pop(0))
    return tree(node.operator, *(distinct(child, left) for child in node.children))


def net(
    arcs: list[tuple[str, str, int]], labels: dict[str, str | None], first: str, last: str
) -> ProcessModel:
    places = {node for arc in arcs for node in arc[:2]} - set(labels) | {first, last}
    return model_of_net(
        "net",
        WorkflowNet(
            tuple(sorted(places)),
            tuple(Transition(name, label) for name, label in labels.items()),
            tuple(Arc(*arc) for arc in arcs),
            ((first, 1),),
            ((last, 1),),
        ),
    )


@pytest.mark.parametrize("pair", PAIRS)
def test_costs_are_those_of_prom_on_every_variant(shared_logs: Path, pair: str) -> None:
    folder = shared_logs / "conformance"
    model = net_read_by_pm4py(folder / f"{pair}.pnml")
    table = pl.read_parquet(folder / "expected_alignments.parquet")
    table = table.filter(pair=pair, source="ProM-Astar")
    assert table.height == PAIRS[pair]
    aligned = align(model, Traces.from_frame(table.rename({"trace": "activities"})))
    assert aligned.method == "states"
    assert aligned.exact.all()
    assert aligned.costs.tolist() == table["cost"].to_list()
    assert aligned.moves.height == table["cost"].sum()


@settings(max_examples=80, deadline=None)
@given(trees(leaves=7).map(distinct), LOGS)
def test_trees_cost_what_their_markings_and_a_search_say(node: ProcessTree, log: list[str]) -> None:
    model = model_of_tree("random", node)
    aligned = check(model, log)
    assert aligned.method == "tree"
    other = check(without_tree(model), log)
    assert other.method == "states"
    assert aligned.costs.tolist() == other.costs.tolist()
    assert aligned.shortest == other.shortest == node.shortest()
    known = [(c, r) for c, r in zip(aligned.costs, costs_of_r4pm(model, log)) if r is not None]
    assert all(cost == reference for cost, reference in known)


@settings(max_examples=40, deadline=None)
@given(trees(leaves=6), LOGS)
def test_trees_that_repeat_activities_cost_what_a_search_says(
    node: ProcessTree, log: list[str]
) -> None:
    model = model_of_tree("random", node)
    aligned = check(model, log)
    known = [(c, r) for c, r in zip(aligned.costs, costs_of_r4pm(model, log)) if r is not None]
    assert all(cost == reference for cost, reference in known)


@settings(max_examples=15, deadline=None)
@given(trees(names="abc", leaves=5), st.text("abcx", min_size=1, max_size=5))
def test_costs_agree_with_pm4py(node: ProcessTree, trace: str) -> None:
    model = model_of_tree("random", node)
    assert align(model, Traces.of([trace])).costs.tolist() == [cost_of_pm4py(model, trace)]


def cost_of_pm4py(model: ProcessModel, trace: str) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pm4py.algo.conformance.alignments.petri_net import algorithm
        from pm4py.objects.log.obj import Event, Trace

        events = Trace([Event({"concept:name": name}) for name in trace])
        found: Any = algorithm.apply(events, *of_pm4py_net(model))
    return int(found["cost"]) // 10_000


@settings(max_examples=25, deadline=None)
@given(trees(leaves=6).map(distinct), LOGS, st.randoms())
def test_an_alignment_does_not_depend_on_what_else_is_aligned(
    node: ProcessTree, log: list[str], random: Any
) -> None:
    for model in (model_of_tree("random", node), without_tree(model_of_tree("random", node))):
        shuffled = random.sample(log, len(log))
        all_moves = align(model, Traces.of(shuffled)).moves
        for number, trace in enumerate(shuffled):
            alone = align(model, Traces.of([trace])).moves
            mine = all_moves.filter(trace=number)
            assert mine.drop("trace").equals(alone.drop("trace"))


@pytest.mark.parametrize("model", [SEQUENCE, without_tree(SEQUENCE)])
def test_moves_are_of_both_then_of_the_log_then_of_the_model(model: ProcessModel) -> None:
    aligned = align(model, Traces.of(["abbc", "axc", "", "abc"]), weights=np.array([5, 2, 1, 1]))
    assert aligned.costs.tolist() == [1, 2, 3, 0]
    assert aligned.moves.rows() == [
        (0, 3, "log", None),
        (1, 2, "log", None),
        (1, 3, "model", 1),
        (2, 1, "model", 0),
        (2, 1, "model", 1),
        (2, 1, "model", 2),
    ]
    assert aligned.moves.schema == MOVES
    assert aligned.matched.tolist() == [8, 6, 8]
    assert aligned.shortest == 3


def test_the_story_of_one_trace_has_every_move() -> None:
    model = model_of_tree("x", tree(Operator.SEQUENCE, A, tree(Operator.PARALLEL, B, C)))
    found = alignment_of(model, ["a", "x", "c"])
    assert [(m.kind, m.number, m.activity, m.silent) for m in found] == [
        ("sync", 1, "a", False),
        ("log", 2, "x", False),
        ("model", None, None, True),
        ("sync", 3, "c", False),
        ("model", None, "b", False),
        ("model", None, None, True),
    ]


def test_nothing_to_align_gives_nothing() -> None:
    aligned = align(SEQUENCE, Traces.of([]))
    assert (len(aligned.costs), aligned.moves.height, aligned.shortest) == (0, 0, 3)
    silent = model_of_tree("nothing", TAU)
    assert align(silent, Traces.of(["", "ab"])).costs.tolist() == [0, 2]


def test_a_net_that_cannot_end_gives_no_cost() -> None:
    model = net([("p1", "t1", 1), ("t1", "p2", 1)], {"t1": "a"}, "p1", "p3")
    aligned = align(model, Traces.of(["a", ""]))
    assert aligned.costs.tolist() == [-1, -1]
    assert (aligned.shortest, aligned.moves.height, aligned.exact.any()) == (None, 0, False)
    assert alignment_of(model, ["a"]) == []


def test_a_net_without_bound_is_searched() -> None:
    arcs = [("p1", "t1", 1), ("t1", "p1", 1), ("t1", "p2", 1), ("p2", "t2", 1), ("p1", "t3", 1),
            ("t3", "p3", 1)]  # fmt: skip
    model = net(arcs, {"t1": "a", "t2": "b", "t3": "c"}, "p1", "p3")
    aligned = check(model, ["aabbc", "c", "xac", "abcx"])
    assert (aligned.method, aligned.shortest) == ("search", 1)
    assert aligned.costs.tolist() == [0, 0, 2, 1]


def test_a_net_without_bound_nor_end_gives_no_cost() -> None:
    model = net([("p1", "t1", 1), ("t1", "p1", 2)], {"t1": "a"}, "p1", "p3")
    aligned = align(model, Traces.of(["aa"]))
    assert (aligned.costs.tolist(), aligned.shortest) == ([-1], None)


def test_arcs_that_move_several_tokens_are_counted() -> None:
    arcs = [("p1", "t1", 1), ("t1", "p2", 3), ("p2", "t2", 2), ("t2", "p3", 1), ("p2", "t3", 1),
            ("p3", "t3", 1), ("t3", "p4", 1)]  # fmt: skip
    model = net(arcs, {"t1": "a", "t2": "b", "t3": "c"}, "p1", "p4")
    assert check(model, ["abc", "abbc", "c"]).costs.tolist() == [0, 1, 2]


def test_a_trace_of_a_thousand_events_is_aligned() -> None:
    loop = tree(Operator.LOOP, tree(Operator.PARALLEL, A, tree(Operator.SEQUENCE, B, C)), D)
    model = model_of_tree("long", tree(Operator.SEQUENCE, loop, activity("e")))
    trace = list(("abcd" * 250)[:-1] + "e")
    trace[500] = "x"
    for each in (model, without_tree(model)):
        assert align(each, Traces.of([trace])).costs.tolist() == [2]


def test_twenty_thousand_activities_are_only_numbers() -> None:
    names = [f"activity {number}" for number in range(20_000)]
    choice = model_of_tree("wide", tree(Operator.EXCLUSIVE, *map(activity, names[:5_000])))
    assert align(choice, Traces.of([names[:3], names[-2:]])).costs.tolist() == [2, 3]
    steps = tree(Operator.SEQUENCE, *map(activity, names[:300]))
    assert align(model_of_tree("deep", steps), Traces.of([names])).costs.tolist() == [19_700]


def test_what_is_not_reached_in_time_gets_a_bound_and_no_moves() -> None:
    told: list[float] = []
    aligned = align(SEQUENCE, Traces.of(["abc", "ab"]), seconds=0.0, progress=told.append)
    assert aligned.costs.tolist() == [6, 5]
    assert (aligned.exact.any(), aligned.moves.height, aligned.matched.sum()) == (False, 0, 0)


def test_who_asks_to_stop_is_heard() -> None:
    aligned = align(SEQUENCE, Traces.of(["abc"]), cancelled=lambda: True)
    assert aligned.costs.tolist() == [-1]


def test_names_that_look_like_nothing_are_activities() -> None:
    names = ("", " ", ">>", "tau")
    model = model_of_tree("odd", tree(Operator.SEQUENCE, *map(activity, names)))
    for each in (model, without_tree(model)):
        assert check(each, [names, names[1:], ("None",)]).costs.tolist() == [0, 1, 5]
