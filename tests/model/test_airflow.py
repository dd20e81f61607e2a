"""DAGs of Airflow as nets: what may come after what, and what a branch leaves out."""

from __future__ import annotations

import json
import re
from itertools import permutations
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.airflow.history import decode
from miner.errors import ModelError
from miner.model.airflow import read_airflow
from miner.model.translation import Translation
from tests.model.fitting import ended, misfit, said, words
from tests.model.languages import of_automaton


def task(name: str, *following: str, **more: Any) -> dict[str, Any]:
    return {"task_id": name, "downstream_task_ids": list(following), **more}


def listed(*tasks: dict[str, Any]) -> str:
    """Tasks as Airflow answers with them."""
    return json.dumps({"tasks": tasks, "total_entries": len(tasks)})


def serialized(*tasks: dict[str, Any], group: Any = None, **more: Any) -> str:
    """Tasks as they stand in the metadata database."""
    wrapped = [{"__var": each, "__type": "operator"} for each in tasks]
    return json.dumps({"__version": 3, "dag": {"tasks": wrapped, "task_group": group}, **more})


def read(*tasks: dict[str, Any], **more: Any) -> Translation:
    return read_airflow(serialized(*tasks, **more), name="m", version="2")


def branch(name: str, *following: str, **more: Any) -> dict[str, Any]:
    return task(name, *following, _can_skip_downstream=True, **more)


def test_independent_tasks_come_in_any_order_and_joins_wait_for_all() -> None:
    made = read(task("a", "b", "c"), task("b", "d"), task("c", "d"), task("d"))
    assert words(made) == {"a b c d", "a c b d"}
    assert made.remarks == ()
    assert {(t.label, t.element_id) for t in made.model.net.transitions if t.label} == {
        (name, name) for name in "abcd"
    }
    assert (made.model.source_format, made.model.version) == ("airflow", "2")


def test_the_list_of_tasks_gives_the_same_net_as_the_serialized_dag() -> None:
    tasks = [task("a", "b", trigger_rule="all_success"), task("b", trigger_rule="all_done")]
    other = read_airflow(listed(*tasks), name="m")
    assert of_automaton(other.model, 4) == of_automaton(read(*tasks).model, 4)
    assert other.model.source_format == "airflow-tasks"
    assert said(other) == {(None, "task group")}


@settings(max_examples=30, deadline=None)
@given(st.sets(st.sampled_from([(a, b) for a in range(5) for b in range(a + 1, 5)])))
def test_a_plain_dag_allows_exactly_its_topological_orders(ways: set[tuple[int, int]]) -> None:
    names = "abcde"
    tasks = [task(names[n], *(names[b] for a, b in sorted(ways) if a == n)) for n in range(5)]
    expected = {
        order
        for order in permutations(names)
        if all(order.index(names[a]) < order.index(names[b]) for a, b in ways)
    }
    assert of_automaton(read(*tasks).model, 6) == expected


def test_a_branch_leaves_out_what_it_does_not_choose_and_what_needs_that() -> None:
    made = read(
        branch("choose", "ship", "keep"),
        task("ship", "tell"),
        task("keep", "tell"),
        task("tell", trigger_rule="none_failed_min_one_success"),
    )
    assert words(made) == {
        "choose", "choose ship tell", "choose keep tell", "choose ship keep tell",
        "choose keep ship tell",
    }  # fmt: skip
    assert said(made) == {("choose", "branch")}


def test_a_task_that_needs_all_runs_after_all_or_not_at_all() -> None:
    made = read(branch("choose", "a"), task("slow", "join"), task("a", "join"), task("join"))
    assert words(made) == {
        "choose slow", "slow choose", "choose a slow join", "choose slow a join",
        "slow choose a join",
    }  # fmt: skip
    other = read(task("first", "join"), task("slow", "join"), task("join"))
    assert words(other) == {"first slow join", "slow first join"}


def test_a_short_circuit_may_leave_out_all_below_it() -> None:
    kind = {"_can_skip_downstream": True, "task_type": "ShortCircuitOperator"}
    made = read(task("ask", "a", **kind), task("a", "b"), task("b", trigger_rule="all_done"))
    assert words(made) == {"ask", "ask a b", "ask a", "ask b"}
    assert said(made) == {("ask", "branch")}


def test_what_runs_in_any_case_waits_for_all_and_is_never_left_out() -> None:
    made = read(branch("choose", "a"), task("a", "clean"), task("clean", trigger_rule="all_done"))
    assert words(made) == {"choose a clean", "choose clean"}


def test_rules_that_ask_for_one_do_not_wait_for_the_others() -> None:
    made = read(task("a", "c"), task("b", "c"), task("c", trigger_rule="one_success"))
    assert words(made) == {"a b c", "b a c", "a c b", "b c a"}
    failed = read(task("a", "c"), task("b", "c"), task("c", trigger_rule="one_failed"))
    assert words(failed) == {"a b", "b a", "a b c", "b a c", "a c b", "b c a"}
    assert said(failed) == {("c", "trigger rule")}
    always = read(task("a", "c"), task("c", trigger_rule="always"))
    assert words(always) == {"a c", "c a"}


def test_mapped_tasks_are_done_once_or_more_often_and_groups_in_any_order() -> None:
    made = read(task("a", "b", _is_mapped=True, partial_kwargs={"retries": 2}), task("b"))
    assert words(made, 4) == {"a b", "a a b", "a a a b"}
    group = {
        "_group_id": None,
        "children": {
            "start": ["operator", "start"],
            "each": ["taskgroup", {
                "_group_id": "each", "is_mapped": True,
                "children": {"each.a": ["operator", "each.a"], "each.b": ["operator", "each.b"]},
            }],
        },
    }  # fmt: skip
    made = read(
        task("start", "each.a"), task("each.a", "each.b"), task("each.b", "end"), task("end"),
        group=group,
    )  # fmt: skip
    assert {"start each.a each.b each.a each.b end", "start each.a each.a each.b each.b end"} <= (
        words(made, 6)
    )
    assert all(each.startswith("start") and each.endswith("end") for each in words(made, 6))
    assert said(made) == {("each", "mapped task group")}


def test_setup_and_teardown_are_tasks_in_their_places() -> None:
    made = read(
        task("make", "use", "drop", is_setup=True),
        task("use", "drop"),
        task("drop", is_teardown=True, trigger_rule="all_done_setup_success"),
    )
    assert words(made) == {"make use drop"}
    assert said(made) == {("drop", "trigger rule")}


def test_a_dag_without_tasks_is_the_run_itself() -> None:
    assert words(read()) == {"Run"}


def test_the_default_rule_may_stand_apart() -> None:
    defaults = {"tasks": {"trigger_rule": "one_success"}}
    made = read(task("a", "c"), task("b", "c"), task("c"), client_defaults=defaults)
    assert "a c b" in words(made)


def tried(name: str, state: str, begun: str, ended_: str, number: int = 1, index: int = -1) -> str:
    told = {
        "dag_id": "orders", "dag_run_id": "r1", "task_id": name, "map_index": index,
        "try_number": number, "state": state, "start_date": f"2026-03-02T08:{begun}Z",
        "end_date": f"2026-03-02T08:{ended_}Z", "hostname": "w1", "operator": "x",
    }  # fmt: skip
    return json.dumps({"kind": "try", "try": told})


def test_a_run_as_the_source_tells_it_fits_its_dag() -> None:
    lines = [
        tried("check", "up_for_retry", "00:01", "00:02"),
        tried("check", "success", "00:04", "00:05", 2),
        tried("pack", "success", "00:06", "00:09", index=0),
        tried("pack", "success", "00:06", "00:08", index=1),
        tried("choose", "success", "00:10", "00:12"),
        tried("keep", "skipped", "00:11", "00:11", 0),
        tried("label", "skipped", "00:13", "00:13", 0),
        tried("ship", "success", "00:13", "00:15"),
        tried("tell", "success", "00:16", "00:17"),
    ]
    events = decode("\n".join(lines).encode())
    traces = ended(events, pl.concat_str("activity", pl.col("instance_id").str.extract(r"(.*)/")))
    assert traces["r1"] == ["check", "pack", "pack", "choose", "ship", "tell"]
    made = read(
        task("check", "pack"),
        task("pack", "choose", _is_mapped=True),
        branch("choose", "ship", "keep"),
        task("ship", "tell"),
        task("keep", "label", "tell"),
        task("label"),
        task("tell", trigger_rule="none_failed_min_one_success"),
    )
    assert misfit(made.model, traces["r1"]) is None
    assert misfit(made.model, ["pack", *traces["r1"]]) is not None


SOURCE = "from airflow.sdk import dag\n\n@dag()\ndef orders():\n    pass\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no JSON"),
        ("{}", "has no tasks"),
        (SOURCE, "Python source"),
        (listed(task("a", "b")), "leads to 'b', but there is no such task"),
        (listed(task("a"), task("a")), "two tasks named 'a'"),
        (listed(task("a", "a")), "circle: a > a"),
        (listed(task("a", "b"), task("b", "c"), task("c", "a")), "goes round in a circle"),
        (listed(task("a", trigger_rule="whenever")), "no trigger rule"),
        (listed(*[task(f"t{n}") for n in range(10_000)]), "more than 5,000 tasks"),
        (json.dumps({"tasks": [{"downstream_task_ids": []}]}), "tasks[0] has no task_id"),
        (json.dumps({"tasks": [7]}), "tasks[0] has to be an object"),
        (json.dumps({"dag": {"tasks": {}}}), "dag.tasks has to be a list"),
    ],
)  # fmt: skip
def test_what_is_no_dag_is_said_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ModelError, match=re.escape(message)) as caught:
        read_airflow(text, name="m")
    assert caught.value.hint
