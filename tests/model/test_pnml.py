from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from miner.model.pnml import to_pnml
from miner.model.process_model import model_of_net, model_of_tree
from miner.model.process_tree import Operator, ProcessTree, activity, tree
from miner.model.workflow_net import Arc, Transition, WorkflowNet
from tests.model.languages import by_definition, of_pm4py, read_pnml, trees


def plain(net: Any, initial: Any, final: Any) -> tuple[Any, ...]:
    return (
        {place.name for place in net.places},
        {(transition.name, transition.label) for transition in net.transitions},
        {(arc.source.name, arc.target.name, arc.weight) for arc in net.arcs},
        {(place.name, count) for place, count in initial.items()},
        {(place.name, count) for place, count in final.items()},
    )


def plain_of(net: WorkflowNet) -> tuple[Any, ...]:
    return (
        set(net.places),
        {(transition.id, transition.label) for transition in net.transitions},
        {(arc.source, arc.target, arc.weight) for arc in net.arcs},
        set(net.initial),
        set(net.final),
    )


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(trees())
def test_pm4py_reads_back_the_same_net(tmp_path: Path, found: ProcessTree) -> None:
    model = model_of_tree("random", found)
    net, initial, final = read_pnml(to_pnml(model), tmp_path)
    assert plain(net, initial, final) == plain_of(model.net)
    assert of_pm4py(net, initial, final, 4) == by_definition(found, 4)


def test_weights_and_markings_of_several_tokens_are_written(tmp_path: Path) -> None:
    arcs = (Arc("p1", "t1", 2), Arc("t1", "p2", 3))
    net = WorkflowNet(("p1", "p2"), (Transition("t1", None),), arcs, (("p1", 2),), (("p2", 3),))
    assert plain(*read_pnml(to_pnml(model_of_net("heavy", net)), tmp_path)) == plain_of(net)


@pytest.mark.parametrize("name", ["<\"&'>", "two\nlines", "carriage\rreturn", "漢字 🚲", "]]>"])
def test_names_survive(name: str, tmp_path: Path) -> None:
    model = model_of_tree(name, tree(Operator.SEQUENCE, activity(name), activity("a")))
    assert plain(*read_pnml(to_pnml(model), tmp_path)) == plain_of(model.net)


def test_the_same_model_gives_the_same_document() -> None:
    model = model_of_tree("loop", tree(Operator.LOOP, activity("a"), activity("b")))
    assert to_pnml(model) == to_pnml(model)
