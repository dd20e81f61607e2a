from __future__ import annotations

from hypothesis import given, settings

from miner.model.process_tree import Operator, ProcessTree, activity, tree
from miner.model.soundness import Soundness, soundness
from miner.model.tree_net import net_of_tree
from miner.model.workflow_net import Arc, Step, Transition, WorkflowNet, net_of
from tests.model.bpmn_texts import translated
from tests.model.languages import trees


@settings(max_examples=150, deadline=None)
@given(trees(operators=tuple(Operator)))
def test_nets_of_trees_are_sound(found: ProcessTree) -> None:
    assert soundness(net_of_tree(found)).sound


def test_choices_of_several_are_sound() -> None:
    some = tree(Operator.INCLUSIVE, *map(activity, "abc"))
    assert soundness(net_of_tree(tree(Operator.LOOP, some, activity("d")))).sound


def of_bpmn(*parts: str) -> Soundness:
    return soundness(translated(*parts).model.net)


def test_a_choice_that_is_joined_as_if_it_were_parallel_gets_stuck() -> None:
    found = of_bpmn("start > x1 > A > p1 > end", "x1 > B > p1")
    assert found.sound is False
    assert found.reason == (
        "A case can get stuck: after 'A' the silent step of element 'p1' waits in vain."
    )


def test_a_parallel_split_that_is_joined_as_if_it_were_a_choice_leaves_work() -> None:
    steps = [Step(None, ("i",), ("p", "q")), Step("A", ("p",), ("o",)), Step("B", ("q",), ("o",))]
    found = soundness(net_of(steps, "i", "o"))
    assert found.sound is False
    assert found.reason == (
        "A case can end with work left over: after 'A' the end is reached, and 1 more token(s) are "
        "before 'B'."
    )


def test_a_loop_that_makes_more_of_itself_has_no_bound() -> None:
    steps = [
        Step("A", ("i",), ("p",)),
        Step("B", ("p",), ("p", "q"), "b1"),
        Step("C", ("p", "q"), ("o",)),
    ]
    found = soundness(net_of(steps, "i", "o"))
    assert found.sound is False
    assert found.reason.startswith("Unbounded: after 'A', 'B', 'B' the work before 'C'")
    assert "because 'B' (element 'b1') can be done again" in found.reason


def test_a_loop_without_a_way_out_goes_on_for_ever() -> None:
    steps = [
        Step("A", ("i",), ("o",)),
        Step("B", ("i",), ("p",)),
        Step("C", ("p",), ("q",)),
        Step("D", ("q",), ("p",)),
    ]
    found = soundness(net_of(steps, "i", "o"))
    assert (found.sound, found.reason) == (
        False,
        "A case can go on for ever: after 'B' only 'C', 'D' can happen, and the end is out of "
        "reach.",
    )


def test_a_step_that_can_never_happen_is_named() -> None:
    steps = [Step("A", ("i",), ("o",)), Step("B", ("nowhere",), ("o",), "b1")]
    net = net_of(steps, "i", "o")
    found = soundness(net)
    assert (found.sound, found.reason) == (False, "Never possible: 'B' (element 'b1').")
    assert [t.label for t in net.transitions if t.id in found.transitions] == ["B"]


def test_a_start_without_a_way_to_the_end_is_stuck_at_once() -> None:
    net = WorkflowNet(("i", "o"), (), (), (("i", 1),), (("o", 1),))
    assert soundness(net).reason == "A case can get stuck: from the start nothing follows."


def test_weights_are_tokens() -> None:
    arcs = (Arc("i", "t"), Arc("t", "p", 2), Arc("p", "u", 2), Arc("u", "o"))
    steps = (Transition("t", "A"), Transition("u", "B"))
    assert soundness(WorkflowNet(("i", "p", "o"), steps, arcs, (("i", 1),), (("o", 1),))).sound


def test_too_many_states_are_not_known_to_be_sound() -> None:
    ways = [f"p1 > T{number} > p2" for number in range(12)]
    net = translated("start > p1", "p2 > end", *ways).model.net
    assert soundness(net, most_states=1000).sound is None
    assert soundness(net).sound is True


def test_a_fault_that_was_found_counts_even_when_not_everything_was_looked_at() -> None:
    ways = [f"p1 > T{number} > U{number} > p2" for number in range(12)]
    net = translated("start > x1 > p1", "p2 > x2 > end", "x1 > A > p3", "x2 > B > p3 > end2", *ways)
    assert soundness(net.model.net, most_states=3000).sound is False
