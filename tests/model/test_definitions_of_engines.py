"""Whatever stands in a definition, a net or a sentence comes out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.errors import ModelError
from miner.model.airflow import read_airflow
from miner.model.asl import read_asl
from miner.model.google_workflows import read_google_workflows
from miner.model.logic_apps import read_logic_apps
from miner.model.soundness import soundness
from miner.model.translation import Translation

READERS: dict[str, tuple[Callable[..., Translation], Any]] = {
    "asl": (
        read_asl,
        {
            "StartAt": "A",
            "States": {
                "A": {"Type": "Choice", "Choices": [{"Next": "B"}], "Default": "P"},
                "B": {"Type": "Task", "Next": "M", "Retry": [{"ErrorEquals": ["E"]}],
                      "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "F"}]},
                "P": {"Type": "Parallel", "End": True, "Catch": [
                    {"ErrorEquals": ["E"], "Next": "F"}], "Branches": [
                    {"StartAt": "C", "States": {"C": {"Type": "Fail", "Error": "E"}}}]},
                "M": {"Type": "Map", "End": True, "MaxConcurrency": 1, "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "INLINE"},
                    "StartAt": "D", "States": {"D": {"Type": "Succeed"}}}},
                "F": {"Type": "Fail"},
            },
        },
    ),
    "airflow": (
        read_airflow,
        {
            "client_defaults": {"tasks": {"trigger_rule": "all_success"}},
            "dag": {
                "task_group": {"_group_id": None, "children": {
                    "a": ["operator", "a"], "g": ["taskgroup", {
                        "_group_id": "g", "is_mapped": True, "children": {"b": ["operator", "b"]},
                    }]}},
                "tasks": [
                    {"__var": {"task_id": "a", "downstream_task_ids": ["b", "c"],
                               "task_type": "BranchPythonOperator"}, "__type": "operator"},
                    {"__var": {"task_id": "b", "_is_mapped": True, "partial_kwargs": {
                        "trigger_rule": "all_done"}}, "__type": "operator"},
                    {"__var": {"task_id": "c", "trigger_rule": "one_failed"}, "__type": "operator"},
                ],
            },
        },
    ),
    "google": (
        read_google_workflows,
        {
            "main": {"params": ["x"], "steps": [
                {"a": {"assign": [{"x": 1}]}},
                {"b": {"switch": [{"condition": "${x}", "next": "d"}, {"condition": True}]}},
                {"c": {"try": {"call": "sub"}, "retry": "r",
                       "except": {"as": "e", "steps": [{"x": {"raise": "e"}}]}}},
                {"d": {"parallel": {"branches": [{"o": {"steps": [{"f": {"call": "g"}}]}}]}}},
                {"e": {"for": {"value": "v", "in": "l", "steps": [{"h": {"next": "continue"}}]}}},
            ]},
            "sub": {"steps": [{"i": {"return": 1}}]},
        },
    ),
    "logic apps": (
        read_logic_apps,
        {
            "triggers": {"t": {"type": "Request"}},
            "actions": {
                "A": {"type": "Http"},
                "B": {"type": "If", "runAfter": {"A": ["Failed"]}, "actions": {
                    "C": {"type": "Terminate"}}, "else": {"actions": {}}},
                "D": {"type": "Foreach", "runAfter": {"A": ["Succeeded"], "B": ["Skipped"]},
                      "actions": {"E": {"type": "Until", "actions": {"F": {"type": "Wait"}}}}},
                "G": {"type": "Switch", "cases": {"x": {"actions": {"H": {"type": "Scope"}}}}},
            },
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("language", READERS)
def test_the_net_of_a_definition_is_sound(language: str) -> None:
    read, definition = READERS[language]
    checked = soundness(read(json.dumps(definition), name="m").model.net)
    assert checked.sound, checked.reason


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 3), st.sampled_from(["", "A", "a", "\ud800", "end"]),
    st.just([]), st.just({}), st.just([[]]), st.just({"": 1}), st.just({"A": {"A": None}}),
)  # fmt: skip


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to every value inside a definition, and to itself."""
    listed = value if isinstance(value, list) else []
    below = list(value.items() if isinstance(value, dict) else enumerate(listed))
    return [way, *(found for key, each in below for found in places(each, (*way, key)))]


def changed(value: Any, way: tuple[Any, ...], other: Any) -> Any:
    if not way:
        return other
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[way[0]] = changed(value[way[0]], way[1:], other)
    return copy


@pytest.mark.parametrize("language", READERS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_definition_with_odd_values_gives_a_net_or_a_sentence(
    language: str, data: st.DataObject
) -> None:
    read, definition = READERS[language]
    for _ in range(data.draw(st.integers(0, 2))):
        way = data.draw(st.sampled_from(places(definition)))
        definition = changed(definition, way, data.draw(ODD))
    try:
        found = read(json.dumps(definition), name="m")
    except ModelError as error:
        assert error.hint
        assert error.message.encode()
    else:
        labelled = [t for t in found.model.net.transitions if t.label is not None]
        assert all(t.element_id for t in labelled)


@pytest.mark.parametrize("language", READERS)
@settings(max_examples=80, deadline=None)
@given(text=st.text(st.sampled_from('{}[]":,&*!|>-?\n\t a1é\x00%@`<'), max_size=30))
def test_any_text_gives_a_net_or_a_sentence(language: str, text: str) -> None:
    try:
        READERS[language][0](text, name="m")
    except ModelError as error:
        assert error.hint
