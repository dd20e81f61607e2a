from __future__ import annotations

import hashlib
import json
import random
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.model.process_model import model_of_net, model_of_tree, to_json
from miner.model.process_tree import TAU, Operator, activity, tree
from miner.model.workflow_net import Step, net_of

XOR = tree(Operator.EXCLUSIVE, activity("a"), TAU)


def test_a_model_knows_the_hash_of_its_source() -> None:
    model = model_of_tree("orders", XOR)
    assert model.sha256 == hashlib.sha256(b"X( 'a', tau )").hexdigest()
    assert model.process_tree == "X( 'a', tau )"


def test_a_model_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        model_of_tree("orders", XOR).name = "other"  # type: ignore[misc]


def test_a_net_without_a_tree_has_itself_as_source() -> None:
    model = model_of_net("orders", model_of_tree("orders", XOR).net)
    assert model.process_tree is None
    assert json.loads(model.source_text)["initial_marking"] == {"p1": 1}


def test_json_holds_the_whole_net() -> None:
    assert json.loads(to_json(model_of_tree("Bestellung ü", XOR))) == {
        "name": "Bestellung ü",
        "version": None,
        "source_format": "process tree",
        "sha256": hashlib.sha256(b"X( 'a', tau )").hexdigest(),
        "process_tree": "X( 'a', tau )",
        "places": ["p1", "p2"],
        "transitions": [
            {"id": "t1", "label": "a", "element_id": None},
            {"id": "t2", "label": None, "element_id": None},
        ],
        "arcs": [
            {"source": "p1", "target": "t1", "weight": 1},
            {"source": "t1", "target": "p2", "weight": 1},
            {"source": "p1", "target": "t2", "weight": 1},
            {"source": "t2", "target": "p2", "weight": 1},
        ],
        "initial_marking": {"p1": 1},
        "final_marking": {"p2": 1},
    }


places = st.sampled_from(["source", "x", "y", "z", "sink"])
steps = st.builds(
    Step,
    st.one_of(st.none(), st.sampled_from("abc")),
    st.lists(places, min_size=1, max_size=2, unique=True).map(tuple),
    st.lists(places, min_size=1, max_size=2, unique=True).map(tuple),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(steps, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_names_and_order_of_the_steps_do_not_matter_without_silent_steps(
    given_steps: list[Step], chance: random.Random
) -> None:
    named = [Step(step.label or "d", step.before, step.after) for step in given_steps]
    other = {"source": "source", "sink": "sink", "x": "z1", "y": "a2", "z": "m3"}
    renamed = [
        Step(s.label, tuple(other[p] for p in s.before), tuple(other[p] for p in s.after))
        for s in named
    ]
    chance.shuffle(renamed)
    first, second = net_of(named, "source", "sink"), net_of(renamed, "source", "sink")
    assert first.transitions == second.transitions
    assert len(first.arcs) == len(second.arcs)
