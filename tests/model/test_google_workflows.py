"""Google Cloud Workflows as nets."""

from __future__ import annotations

import re

import pytest

from miner.errors import ModelError
from miner.model.google_workflows import read_google_workflows
from miner.model.translation import Translation
from tests.model.fitting import said, words


def read(*steps: str, more: str = "") -> Translation:
    """The net of a workflow with these steps, each on a line: `name: {call: …}`."""
    lines = "\n".join(f"    - {step}" for step in steps)
    return read_google_workflows(f"main:\n  steps:\n{lines}\n{more}", name="m", version="1")


def calls(*names: str) -> str:
    return "[" + ", ".join(f"{{{name}: {{call: http.get}}}}" for name in names) + "]"


def test_steps_that_call_something_are_activities_and_others_are_silent() -> None:
    made = read(
        "init: {assign: [{url: x}]}",
        "ask: {call: http.get, args: {url: '${url}'}, result: answer}",
        "write: {call: sys.log, next: end}",
        "never: {call: http.get}",
    )
    assert words(made) == {"ask write"}
    labelled = {(t.label, t.element_id) for t in made.model.net.transitions if t.label}
    assert labelled == {("ask", "main/ask"), ("write", "main/write")}
    assert (made.model.source_format, made.model.version) == ("google-workflows", "1")


def test_a_workflow_may_be_its_steps_alone_and_json() -> None:
    one = read_google_workflows(calls("a", "b"), name="m")
    other = read_google_workflows(
        '{"main": [{"a": {"call": "f"}}, {"b": {"call": "g"}}]}', name="m"
    )
    assert words(one) == words(other) == {"a b"}


def test_a_switch_goes_where_one_condition_says_or_on() -> None:
    made = read(
        "choose: {switch: [{condition: '${x > 1}', next: big}, "
        "{condition: '${x < 0}', steps: [{fix: {call: f}}]}]}",
        "small: {call: f, next: end}",
        "big: {call: f}",
    )
    assert words(made) == {"big", "fix small", "small"}
    certain = read("choose: {switch: [{condition: true, next: b}]}", "a: {call: f}", "b: {call: f}")
    assert words(certain) == {"b"}


def test_jumps_lead_back_and_out_of_blocks() -> None:
    made = read(
        "a: {call: f}",
        "inner: {steps: [{b: {call: f}}, {again: {switch: [{condition: '${x}', next: a}]}}]}",
        "c: {call: f}",
    )
    assert words(made, 5) == {"a b c", "a b a b c"}


def test_loops_go_round_any_number_of_times() -> None:
    made = read(
        "each: {for: {value: v, in: '${list}', steps: [{a: {call: f}}, "
        "{stop: {switch: [{condition: '${v}', next: break}, {condition: '${w}', next: continue}]}},"
        " {b: {call: f}}]}}",
        "z: {call: f}",
    )
    assert words(made, 4) == {"z", "a z", "a a z", "a a a z", "a b z", "a a b z", "a b a z"}
    assert said(made) == {("main/each", "for")}


def test_branches_run_side_by_side_and_a_failed_one_does_not_stop_the_others() -> None:
    branches = f"[{{one: {{steps: {calls('a', 'b')}}}}}, {{two: {{steps: {calls('c')}}}}}]"
    made = read(f"both: {{parallel: {{branches: {branches}}}}}", "z: {call: f}")
    assert words(made) == {"a b c z", "a c b z", "c a b z"}
    caught = read(
        f"both: {{try: {{parallel: {{branches: {branches}}}}}, except: {{as: e, steps: {calls('h')}"
        "}}",
        "z: {call: f}",
    )
    found = words(caught)
    # The handler comes after both branches have ended, whichever failed.
    assert {"a b c z", "a c h z", "c a h z", "a b c h z"} <= found
    assert not [each for each in found if re.search("h .*[abc]", each)]


def test_items_side_by_side_have_their_steps_in_any_order() -> None:
    made = read(
        f"each: {{parallel: {{for: {{value: v, in: '${{l}}', steps: {calls('a', 'b')}}}}}}}"
    )
    assert {"", "a a b b", "a b a b"} <= words(made)
    assert said(made) == {("main/each", "parallel for")}


def test_what_fails_is_handled_tried_again_or_ends_the_workflow() -> None:
    handled = read("ask: {try: {call: f}, except: {as: e, steps: " + calls("h") + "}}")
    assert words(handled) == {"ask", "ask h"}
    again = read("ask: {try: {call: f}, retry: '${http.default_retry}'}")
    assert words(again, 3) == {"ask", "ask ask", "ask ask ask"}
    assert said(again) == {("main/ask", "retry")}
    raised = read(
        "a: {call: f}", "check: {switch: [{condition: '${x}', raise: bad}]}", "b: {call: f}"
    )
    assert words(raised) == {"a", "a b"}
    inside = read(
        "a: {try: {steps: [{b: {call: f}}, {c: {raise: bad}}]}, except: {as: e, steps: "
        + calls("h") + "}}",
        "z: {call: f}",
    )  # fmt: skip
    assert words(inside) == {"b h z"}


def test_subworkflows_stand_in_the_place_of_their_calls() -> None:
    sub = "sub:\n  params: [x]\n  steps: [{d: {call: f}}, {e: {return: 1}}, {n: {call: f}}]\n"
    made = read("one: {call: sub}", "two: {call: sub}", more=sub)
    assert words(made) == {"d d"}
    ids = {t.element_id for t in made.model.net.transitions if t.label}
    assert ids == {"main/one/sub/d", "main/two/sub/d"}
    recursive = read("one: {call: sub}", more="sub:\n  steps: [{d: {call: sub}}]\n")
    assert words(recursive) == {"d"}
    assert said(recursive) == {("main/one/sub/d", "call")}


DOUBLING = "\n".join(
    f"s{n}:\n  steps: [{{a: {{call: s{n + 1}}}}}, {{b: {{call: s{n + 1}}}}}]" for n in range(13)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has to be an object"),
        ("main: [", "no YAML"),
        ("other: {steps: []}", "no routine named main"),
        ("main: {steps: 7}", "main.steps has to be a list"),
        ("main: {steps: [{a: {call: f}, b: {call: f}}]}", "exactly one name"),
        ("main: {steps: [{a: {call: f}}, {a: {call: f}}]}", "two steps are named 'a'"),
        ("main: {steps: [{a: {call: f, return: 1}}]}", "exactly one thing"),
        ("main: {steps: [{a: {}}]}", "exactly one thing"),
        ("main: {steps: [{a: {cal: f}}]}", "has 'cal', which no step has"),
        ("main: {steps: [{a: {next: b}}]}", "leads to 'b'"),
        ("main: {steps: [{a: {next: break}}]}", "outside of a loop"),
        ("main: {steps: [{end: {call: f}}]}", "cannot be named 'end'"),
        ("main: {steps: [{a: {parallel: {}}}]}", "either branches or for"),
        ("main: {steps: [{a: &x {call: f}}, {b: *x}]}", "anchor or alias"),
        ("main: {steps: [{a: {call: f, call: g}}]}", "names 'call' twice"),
        ("main: {steps: !!python/object:os.system []}", "tag"),
        (f"main:\n  steps: [{{a: {{call: s0}}}}]\n{DOUBLING}\ns13:\n  steps: []", "5,000 elements"),
        ("[" * 5000, "nested too deep"),
        ("main: {steps: [" + "{a: {steps: [" * 60 + "]}}" * 60 + "]}", "nested deeper than"),
    ],
)
def test_what_is_no_workflow_is_said_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ModelError, match=re.escape(message)) as caught:
        read_google_workflows(text, name="m")
    assert caught.value.hint
