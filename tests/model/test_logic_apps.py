"""Azure Logic Apps as nets."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from miner.errors import ModelError
from miner.model.logic_apps import read_logic_apps
from miner.model.translation import Translation
from tests.model.fitting import said, words

DONE, BROKEN = ["Succeeded"], ["Failed", "TimedOut"]


def action(kind: str = "Http", **more: Any) -> dict[str, Any]:
    after = dict.fromkeys(more.pop("after", "").split(), DONE)
    return {"type": kind, "runAfter": after | more.pop("run_after", {}), **more}


def read(**actions: Any) -> Translation:
    triggers = {"manual": {"type": "Request"}}
    definition = {"triggers": triggers, "actions": actions}
    return read_logic_apps(json.dumps({"definition": definition}), name="m", version="5")


def test_actions_run_after_those_they_name_and_else_side_by_side() -> None:
    made = read(A=action(), B=action(after="A"), C=action("Compose", after="A"),
                D=action("Response", after="B C"))  # fmt: skip
    assert words(made) == {"A B C D", "A C B D"}
    assert {(t.label, t.element_id) for t in made.model.net.transitions if t.label} == {
        (name, name) for name in "ABCD"
    }
    assert (made.model.source_format, made.model.version) == ("logic-apps", "5")
    assert made.remarks == ()


def test_the_definition_may_stand_alone_or_be_wrapped() -> None:
    actions = {"actions": {"A": action()}}
    for wrapped in (actions, {"definition": actions}, {"properties": {"definition": actions}}):
        assert words(read_logic_apps(json.dumps(wrapped), name="m")) == {"A"}
    assert words(read()) == {""}


def test_failures_that_something_runs_after_are_in_the_net_and_others_are_not() -> None:
    made = read(A=action(), B=action(after="A"), C=action(run_after={"A": BROKEN}),
                D=action(run_after={"B": ["Succeeded", "Skipped"],
                                    "C": ["Succeeded", "Skipped"]}))  # fmt: skip
    assert words(made) == {"A B D", "A C D"}
    assert words(read(A=action(), B=action(after="A"))) == {"A B"}


def test_skipping_goes_on_to_what_needs_the_skipped() -> None:
    made = read(A=action(), B=action(run_after={"A": BROKEN}), C=action(after="B"),
                D=action(run_after={"C": ["Skipped"]}))  # fmt: skip
    assert words(made) == {"A B C", "A D"}


def test_conditions_and_switches_choose_one_of_their_blocks() -> None:
    made = read(
        If=action("If", actions={"A": action()}, **{"else": {"actions": {"B": action()}}}),
        Switch=action("Switch", after="If", cases={"x": {"case": 1, "actions": {"C": action()}}},
                      default={"actions": {"D": action(), "E": action(after="D")}}),
    )  # fmt: skip
    assert words(made) == {"A C", "B C", "A D E", "B D E"}


def test_a_scope_fails_with_what_nothing_in_it_handles() -> None:
    inside = {"X": action(), "Y": action(after="X")}
    made = read(S=action("Scope", actions=inside), Help=action(run_after={"S": BROKEN}),
                Go=action(after="S"))  # fmt: skip
    assert words(made) == {"X Help", "X Y Help", "X Y Go"}
    handled = {"X": action(), "Y": action(run_after={"X": [*DONE, *BROKEN]})}
    made = read(S=action("Scope", actions=handled), Help=action(run_after={"S": BROKEN}),
                Go=action(after="S"))  # fmt: skip
    assert words(made) == {"X Y Go", "X Y Help"}


def test_loops_go_round_once_or_more_or_for_each_item() -> None:
    until = read(U=action("Until", actions={"A": action()}), Z=action(after="U"))
    assert words(until, 3) == {"A Z", "A A Z"}
    body = {"A": action(), "B": action(after="A")}
    one = read(F=action("Foreach", actions=body, operationOptions="Sequential"))
    assert words(one, 4) == {"", "A B", "A B A B"}
    once = {"concurrency": {"repetitions": 1}}
    other = read(F=action("Foreach", actions=body, runtimeConfiguration=once))
    assert words(other, 4) == words(one, 4)
    many = read(F=action("Foreach", actions=body))
    assert {"", "A A B B", "A B A B"} <= words(many, 4)
    assert said(many) == {("F", "foreach")}


def test_after_terminate_nothing_new_begins() -> None:
    made = read(
        X=action(),
        If=action("If", actions={"Stop": action("Terminate")},
                  **{"else": {"actions": {"Z": action()}}}),
        Y=action(after="X If"),
    )  # fmt: skip
    assert words(made) == {"", "X", "X Z Y", "Z X Y"}
    alone = read(A=action(), Stop=action("Terminate", after="A"), B=action(after="Stop"))
    assert words(alone) == {"A"}


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ("<xml/>", "no JSON"),
        ({}, "has no actions"),
        ({"actions": []}, "actions has to be an object"),
        ({"actions": {"A": {}}}, "actions.A has no type"),
        ({"actions": {"A": action(after="B")}}, "runs after 'B', but there is no such action"),
        ({"actions": {"A": action(after="A")}}, "goes round in a circle"),
        ({"actions": {"A": action(after="B"), "B": action(after="A")}}, "round in a circle"),
        ({"actions": {"A": action(run_after={"A": ["Done"]})}}, "is 'Done', which is no status"),
        ({"actions": {"A": action("Scope", actions={"A": action()})}}, "another action has too"),
        ({"actions": {"A": action("Switch")}}, "has no cases"),
        ({"actions": {f"a{n}": action() for n in range(10_000)}}, "more than 5,000 elements"),
    ],
)  # fmt: skip
def test_what_is_no_definition_is_said_with_its_place(definition: Any, message: str) -> None:
    text = definition if isinstance(definition, str) else json.dumps(definition)
    with pytest.raises(ModelError, match=re.escape(message)) as caught:
        read_logic_apps(text, name="m")
    assert caught.value.hint
