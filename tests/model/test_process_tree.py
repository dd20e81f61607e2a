from __future__ import annotations

import pytest
from hypothesis import given, settings

from miner.model.process_model import model_of_tree
from miner.model.process_tree import TAU, Operator, ProcessTree, activity, tree
from miner.model.tree_net import net_of_tree
from tests.model.languages import by_definition, of_automaton, trees

A, B, C = activity("a"), activity("b"), activity("c")


def test_a_tree_reads_as_one_line() -> None:
    found = tree(Operator.SEQUENCE, A, tree(Operator.EXCLUSIVE, B, TAU))
    assert str(found) == "->( 'a', X( 'b', tau ) )"


def test_quotes_in_names_do_not_end_the_name() -> None:
    assert str(activity("it's \\ done")) == r"'it\'s \\ done'"


def test_a_node_without_children_has_no_operator() -> None:
    with pytest.raises(ValueError, match="children"):
        ProcessTree(Operator.SEQUENCE)
    with pytest.raises(ValueError, match="label"):
        ProcessTree(Operator.SEQUENCE, "a", (A, B))


@pytest.mark.parametrize(
    ("found", "length"),
    [
        (tree(Operator.SEQUENCE, A, B), 2),
        (tree(Operator.PARALLEL, A, B, TAU), 2),
        (tree(Operator.EXCLUSIVE, tree(Operator.SEQUENCE, A, B), C), 1),
        (tree(Operator.INCLUSIVE, A, tree(Operator.SEQUENCE, A, B)), 1),
        (tree(Operator.LOOP, A, B), 1),
        (tree(Operator.LOOP, TAU, A), 0),
    ],
)
def test_the_shortest_trace_has_as_many_activities_as_it_must(
    found: ProcessTree, length: int
) -> None:
    assert found.shortest() == length
    assert min(map(len, by_definition(found, 4))) == length


@settings(max_examples=200, deadline=None)
@given(trees())
def test_the_automaton_of_a_tree_accepts_what_the_definition_says(found: ProcessTree) -> None:
    assert of_automaton(model_of_tree("random", found), 4) == by_definition(found, 4)


@settings(max_examples=200, deadline=None)
@given(trees())
def test_the_net_of_a_tree_has_the_language_of_the_tree(found: ProcessTree) -> None:
    from miner.model.process_model import model_of_net

    assert of_automaton(model_of_net("random", net_of_tree(found)), 4) == by_definition(found, 4)


@settings(max_examples=100, deadline=None)
@given(trees())
def test_the_net_of_a_tree_is_a_workflow_net(found: ProcessTree) -> None:
    net = net_of_tree(found)
    ((source, _),), ((sink, _),) = net.initial, net.final
    inputs, outputs = net.inputs(), net.outputs()
    assert [place for place in net.places if not inputs[place]] == [source]
    assert [place for place in net.places if not outputs[place]] == [sink]
    assert sorted(net.labels()) == sorted(found.labels())
    assert net == net_of_tree(found)


def test_a_plain_sequence_needs_no_silent_transition() -> None:
    net = net_of_tree(tree(Operator.SEQUENCE, A, tree(Operator.SEQUENCE, B, TAU), C))
    assert [transition.label for transition in net.transitions] == ["a", "b", "c"]
    assert len(net.places) == 4
