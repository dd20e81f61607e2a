"""DECLARE models: languages as the templates are defined, traces tried one by one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.errors import ModelError
from miner.model.declare import read_declare
from tests.model.languages import Trace, of_automaton

ACTIVITIES = ("a", "b", "c")
TRACES: list[Trace] = [t for n in range(6) for t in product(ACTIVITIES, repeat=n)]
Rule = Callable[[str], bool]


def matching(pattern: str) -> Rule:
    compiled = re.compile(pattern)
    return lambda trace: compiled.fullmatch(trace) is not None


# Regular expressions as in Di Ciccio, Mecella: On the discovery of declarative control flows for
# artful processes (2015), table 1; negative templates are the absence of a pattern.
TEMPLATES: dict[str, Rule] = {
    "Existence[a]": lambda t: t.count("a") >= 1,
    "Existence3[a]": lambda t: t.count("a") >= 3,
    "Absence[a]": lambda t: t.count("a") < 1,
    "Absence2[a]": lambda t: t.count("a") < 2,
    "Exactly2[a]": lambda t: t.count("a") == 2,
    "Init[a]": lambda t: t.startswith("a"),
    "End[a]": lambda t: t.endswith("a"),
    "Choice[a, b]": lambda t: "a" in t or "b" in t,
    "Exclusive Choice[a, b]": lambda t: ("a" in t) != ("b" in t),
    "Responded Existence[a, b]": lambda t: "a" not in t or "b" in t,
    "Co-Existence[a, b]": lambda t: ("a" in t) == ("b" in t),
    "Response[a, b]": matching("[^a]*(a.*b)*[^a]*"),
    "Precedence[a, b]": matching("[^b]*(a.*b)*[^b]*"),
    "Succession[a, b]": matching("[^ab]*(a.*b)*[^ab]*"),
    "Alternate Response[a, b]": matching("[^a]*(a[^a]*b[^a]*)*[^a]*"),
    "Alternate Precedence[a, b]": matching("[^b]*(a[^b]*b[^b]*)*[^b]*"),
    "Alternate Succession[a, b]": matching("[^ab]*(a[^ab]*b[^ab]*)*[^ab]*"),
    "Chain Response[a, b]": matching("[^a]*(ab[^a]*)*[^a]*"),
    "Chain Precedence[a, b]": matching("[^b]*(ab[^b]*)*[^b]*"),
    "Chain Succession[a, b]": matching("[^ab]*(ab[^ab]*)*[^ab]*"),
    "Not Responded Existence[a, b]": lambda t: not ("a" in t and "b" in t),
    "Not Co-Existence[a, b]": lambda t: not ("a" in t and "b" in t),
    "Not Response[a, b]": lambda t: not re.search("a.*b", t),
    "Not Precedence[a, b]": lambda t: not re.search("a.*b", t),
    "Not Succession[a, b]": lambda t: not re.search("a.*b", t),
    "Not Chain Response[a, b]": lambda t: "ab" not in t,
    "Not Chain Precedence[a, b]": lambda t: "ab" not in t,
    "Not Chain Succession[a, b]": lambda t: "ab" not in t,
}


def declared(*constraints: str, activities: tuple[str, ...] = ACTIVITIES) -> str:
    return "\n".join([*(f"activity {each}" for each in activities), *constraints])


def allowed(*rules: Rule) -> frozenset[Trace]:
    return frozenset(t for t in TRACES if all(rule("".join(t)) for rule in rules))


@pytest.mark.parametrize("constraint", TEMPLATES)
def test_each_template_allows_exactly_what_its_definition_allows(constraint: str) -> None:
    read = read_declare(declared(f"{constraint} | | |"), name="m")
    assert of_automaton(read.model, 5) == allowed(TEMPLATES[constraint])
    assert read.remarks == ()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(sorted(TEMPLATES)), min_size=2, max_size=5, unique=True))
def test_constraints_together_allow_what_all_of_them_allow(constraints: list[str]) -> None:
    expected = allowed(*(TEMPLATES[each] for each in constraints))
    try:
        read = read_declare(declared(*constraints), name="m")
    except ModelError as error:
        assert "contradicts" in error.message
        assert not expected
    else:
        assert of_automaton(read.model, 5) == expected


@pytest.mark.parametrize("template", ["response", "precedence", "succession", "altresponse",
                                      "chainresponse", "chainprecedence", "coexistence",
                                      "responded_existence", "noncoexistence"])  # fmt: skip
def test_pm4py_agrees_on_what_conforms(template: str, tmp_path: Path) -> None:
    import pandas as pd
    from pm4py.algo.conformance.declare import algorithm

    names = {"altresponse": "Alternate Response", "chainresponse": "Chain Response",
             "chainprecedence": "Chain Precedence", "coexistence": "Co-Existence",
             "responded_existence": "Responded Existence",
             "noncoexistence": "Not Co-Existence"}  # fmt: skip
    ours = names.get(template, template.capitalize())
    traces = [trace for trace in TRACES if trace]
    events = pd.DataFrame(
        [
            {"case:concept:name": f"{number:05}", "concept:name": activity,
             "time:timestamp": pd.Timestamp(2026, 1, 1, tz="UTC") + pd.Timedelta(place, "h")}
            for number, trace in enumerate(traces)
            for place, activity in enumerate(trace)
        ]
    )  # fmt: skip
    both = {("a", "b"): {"support": 1, "confidence": 1}}
    found = algorithm.apply(events, {template: both})
    theirs = {trace for trace, each in zip(traces, found, strict=True) if each["is_fit"]}
    read = read_declare(declared(f"{ours}[a, b]"), name="m")
    assert of_automaton(read.model, 5) - {()} == theirs


def test_names_may_have_commas_and_lines_about_data_say_nothing_of_order() -> None:
    text = declared(
        "bind Pay, late: amount",
        "amount: integer between 1 and 9",
        "Precedence[Order, Pay, late] | | |",
        activities=("Order", "Pay, late"),
    )
    read = read_declare(text, name="m", version="3")
    assert of_automaton(read.model, 2) == {
        (), ("Order",), ("Order", "Order"), ("Order", "Pay, late")
    }  # fmt: skip
    assert {t.element_id for t in read.model.net.transitions if t.label} == {"Order", "Pay, late"}
    assert (read.model.source_format, read.model.version) == ("declare", "3")
    assert read.model.source_text == text


def test_conditions_are_said_and_never_make_a_constraint_stricter_than_it_is() -> None:
    read = read_declare(
        declared(
            "Response[a, b] |A.amount > 9 | |",
            "Response[a, c] | | |0,5,h",
            "Not Response[b, c] | |T.org = A.org |",
            "Absence2[a] |A.amount > 9 |",
        ),
        name="m",
    )
    assert of_automaton(read.model, 5) == allowed(matching("[^a]*(a.*c)*[^a]*"))
    assert [(each.element_id, "left out" in each.text) for each in read.remarks] == [
        ("Response[a, b]", True),
        ("Response[a, c]", False),
        ("Not Response[b, c]", True),
        ("Absence2[a]", True),
    ]


def test_the_json_of_minerful_reads_the_same() -> None:
    constraints = [
        {"template": "AlternateResponse", "parameters": [["a"], ["b"]], "support": 1.0},
        {"template": "Exactly2", "parameters": [["c"]]},
    ]
    read = read_declare(json.dumps({"tasks": list("abc"), "constraints": constraints}), name="m")
    lines = read_declare(declared("Alternate Response[a, b]", "Exactly2[c]"), name="m")
    assert of_automaton(read.model, 6) == of_automaton(lines.model, 6)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no activities"),
        ("activity a\nactivity a", "Line 2: the activity 'a' is there twice"),
        (declared("Response[a, d]"), "Line 4 speaks of"),
        (declared("Response[a]"), "needs 2 different"),
        (declared("Response[a, a]"), "needs 2 different"),
        (declared("Existence[a, b]"), "needs 1 different"),
        (declared("Afterwards[a, b]"), "no template 'Afterwards'"),
        (declared("Response2[a, b]"), "cannot have the number 2"),
        (declared("Absence0[a]"), "cannot have the number 0"),
        (declared(f"Existence{'9' * 50}[a]"), "cannot have the number"),
        (declared("hello"), "Line 4 is neither"),
        (declared("Existence[a]", "Absence[a]"), "Line 5: Absence[a] contradicts"),
        ('{"tasks": ["a"], "constraints": [{"template": "Init"}]}', "has no parameters"),
        ('{"tasks": ["a"], "constraints": 7}', "constraints has to be a list"),
        ('{"tasks": [["a", "b"]], "constraints": []}', "branches"),
        ("{", "no JSON"),
    ],
)  # fmt: skip
def test_what_is_no_model_is_said_with_its_line(text: str, said: str) -> None:
    with pytest.raises(ModelError, match=re.escape(said)) as caught:
        read_declare(text, name="m")
    assert caught.value.hint


def test_too_many_states_end_in_an_error_soon() -> None:
    names = tuple(f"n{number}" for number in range(40))
    each = [f"Existence2[{name}]" for name in names]
    with pytest.raises(ModelError, match="too many states"):
        read_declare(declared(*each, activities=names), name="m")


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                ["activity a", "activity b", "Response[a, b] | | |", "Init[a]|", "bind"]
            ),
            st.text(st.sampled_from("ab[],|1: Responsenit\ud800\n"), max_size=20),
        ),
        max_size=6,
    )
)
def test_whatever_the_text_is_only_model_errors_come_out(lines: list[str]) -> None:
    try:
        read_declare("\n".join(lines), name="m")
    except ModelError as error:
        assert error.message.encode()
