"""State machines of Step Functions: their nets, and executions of them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ingest.step_functions.history import decode
from ingest.step_functions.lines import event_line
from miner.errors import ModelError
from miner.model.asl import read_asl
from miner.model.soundness import soundness
from miner.model.translation import Translation
from tests.ingest.step_functions_api import recorded
from tests.model.fitting import ended, misfit, said, words
from tests.model.state_machines import Making, body, mapped, parallel

ALL = [{"ErrorEquals": ["States.ALL"], "Next": "Help"}]
ENTERED = pl.col("instance_id").str.extract(r"^(\d+)/")
"""The entering of a state, of which there may be several attempts."""


def read(**states: Any) -> Translation:
    return read_asl(json.dumps(body(**states)), name="m", version="7")


def test_every_state_is_an_activity_known_by_its_name() -> None:
    made = read(
        Check="Task",
        Big={"Type": "Choice", "Choices": [{"Next": "Ask"}], "Default": "Stop"},
        Ask={"Type": "Wait", "Seconds": 1},
        Done="Succeed",
        Stop="Fail",
    )
    assert words(made) == {"Check Big Ask Done", "Check Big Stop"}
    labelled = [t for t in made.model.net.transitions if t.label]
    assert all(t.label == t.element_id for t in labelled)
    assert len(labelled) == 5
    assert made.remarks == ()
    assert (made.model.source_format, made.model.version) == ("asl", "7")


def test_retries_are_attempts_and_caught_errors_lead_elsewhere() -> None:
    retry = [{"ErrorEquals": ["States.ALL"]}]
    made = read(
        Pay={"Type": "Task", "Catch": ALL, "Retry": retry, "Next": "Done"}, Help="Pass", Done="Pass"
    )
    assert words(made) == {"Pay Done", "Pay Help Done"}


def test_a_parallel_state_ends_after_its_branches() -> None:
    made = read(Both=parallel(body(A="Pass", B="Pass"), body(C="Pass")), Z="Pass")
    assert words(made) == {"A B C Both Z", "A C B Both Z", "C A B Both Z"}


def test_an_error_in_a_branch_stops_its_sisters_and_is_caught_outside() -> None:
    made = read(
        Both=parallel(body(A="Pass", B="Pass"), body(C="Fail"), Catch=ALL, Next="Z"),
        Help="Pass",
        Z="Pass",
    )
    # Whatever runs may still end, as B does here, but A was never left for B after the failure.
    assert words(made) == {
        "Both Help Z", "C Both Help Z", "A Both Help Z", "A C Both Help Z", "C A Both Help Z",
        "A B Both Help Z", "A B C Both Help Z", "A C B Both Help Z",
    }  # fmt: skip


def test_a_fail_state_that_nothing_catches_ends_the_execution_from_any_depth() -> None:
    inner = parallel(body(C="Fail"), body(D="Pass"))
    made = read(Outer=parallel(body(Inner=inner, E="Pass"), body(A="Pass", B="Pass")), Z="Pass")
    found = words(made)
    assert {"C Inner Outer", "D C Inner A Outer", "A C D B Inner Outer"} <= found
    assert not [each for each in found if each.endswith("Z") or "E" in each.split()]
    assert not [each for each in found if "C" not in each.split()]


def test_only_the_errors_that_a_catcher_names_stay_inside() -> None:
    mine = [{"ErrorEquals": ["Mine"], "Next": "Help"}]
    stop = {"Type": "Fail", "Error": "Mine"}
    caught = read(Both=parallel(body(A=stop), Catch=mine), Help="Pass")
    assert "A Both" not in words(caught)
    other = read(Both=parallel(body(A={"Type": "Fail", "Error": "Yours"}), Catch=mine), Help="Pass")
    assert {"A Both", "A Both Help"} <= words(other)


def test_a_parallel_state_that_is_tried_again_does_its_branches_again() -> None:
    made = read(Both=parallel(body(A="Pass"), Retry=[{"ErrorEquals": ["States.ALL"]}]))
    assert {"A Both", "A Both A", "Both A"} <= words(made)
    assert not [each for each in words(made) if each.count("Both") != 1]
    assert said(made) == {("Both", "Parallel")}
    never = [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 0}]
    assert words(read(Both=parallel(body(A="Pass"), Retry=never))) == {"A Both"}


def test_items_one_after_the_other_keep_their_order_and_others_do_not() -> None:
    one = read(Each=mapped(body(A="Pass", B="Pass"), MaxConcurrency=1))
    assert words(one, 5) == {"Each", "A B Each", "A B A B Each"}
    many = read(Each=mapped(body(A="Pass", B="Pass")))
    assert {"Each", "A A B B Each", "A B A B Each"} <= words(many)
    assert [remark.element_id for remark in many.remarks] == ["Each", "Each"]


def test_a_distributed_map_has_its_items_in_other_cases() -> None:
    items = body(A="Pass") | {"ProcessorConfig": {"Mode": "DISTRIBUTED"}}
    made = read(Each=mapped(items, Catch=ALL), Help="Pass")
    assert words(made) == {"Each Help"}
    assert said(made) == {("Each", "Map")}


def test_states_that_nothing_leads_to_are_said() -> None:
    made = read(A={"Type": "Succeed"}, B="Pass")
    assert words(made) == {"A"}
    assert said(made) == {("B", "Pass")}


HANDLE = body(HandleItem="Task")
RECORDED: dict[str, dict[str, Any]] = {
    "test_parallel_state": body(
        LoadInput="Pass",
        ParallelState=parallel(
            body(Branch1="Pass"),
            body(Branch21="Pass", Branch22="Pass"),
            body(Branch31="Pass", Branch32="Pass", Branch33="Pass"),
        ),
    ),
    "test_map_state": body(StartState="Pass", MapState=mapped(HANDLE), Final="Pass"),
    "test_map_state_legacy": body(
        StartState="Pass", MapState={"Type": "Map", "Iterator": HANDLE}, Final="Pass"
    ),
    "test_map_state_catch": body(
        StartState="Pass",
        MapState=mapped(
            body(HandleItemFail="Task"),
            Catch=[{"ErrorEquals": ["States.TaskFailed"], "Next": "FinalCaught"}],
        ),
        Final="Succeed",
        FinalCaught="Pass",
    ),
    "test_map_state_nested": body(
        MapL1=mapped(body(MapL2=mapped(body(MapL2Pass="Pass"), MaxConcurrency=1)), MaxConcurrency=1)
    ),
    "test_map_state_break_condition": body(
        StartState="Pass",
        MapState=mapped(
            body(
                Equals3={"Type": "Choice", "Choices": [{"Next": "Break"}], "Default": "Pass"},
                Pass={"Type": "Pass", "End": True},
                Break="Fail",
            ),
            MaxConcurrency=1,
        ),
        Final="Pass",
    ),
    "test_parallel_state_fail": body(ParallelState=parallel(body(Branch1="Fail"))),
    "test_parallel_state_catch": body(
        ParallelState=parallel(
            body(Branch1="Fail"),
            Catch=[{"ErrorEquals": ["States.ALL"], "Next": "FinalCaught"}],
            End=True,
        ),
        FinalCaught="Pass",
    ),
    "test_map_catch_error[MAP_CATCH_ERROR_OUTPUT]": body(
        ProcessItems=mapped(
            body(
                ProcessItem={
                    "Type": "Task",
                    "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Fallback"}],
                    "End": True,
                },
                Fallback="Pass",
            ),
            MaxConcurrency=1,
        )
    ),
    "test_comments_as_per_docs": body(
        SetupInitialCondition="Pass",
        TaskStateCatchRetry={
            "Type": "Task",
            "Retry": [{"ErrorEquals": ["States.ALL"]}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "SuccessState"}],
        },
        IsComplete={
            "Type": "Choice", "Choices": [{"Next": "SuccessState"}], "Default": "WaitState"
        },
        WaitState={"Type": "Wait", "Seconds": 1},
        CorrectCondition={"Next": "TaskStateCatchRetry"},
        SuccessState="Succeed",
    ),
}  # fmt: skip
"""Definitions of recorded executions, by the names of the recordings."""


def names_of_recordings(folder: Path) -> Iterator[str]:
    """The names of the recordings, in the order in which `recorded` gives their histories."""

    def histories(value: Any, name: str) -> Iterator[str]:
        if isinstance(value, dict):
            events = value.get("events")
            if isinstance(events, list) and events and "previousEventId" in events[0]:
                yield name
            value = list(value.values())
        if isinstance(value, list):
            for each in value:
                yield from histories(each, name)

    for file in sorted(folder.glob("*.json")):
        for key, content in json.loads(file.read_text(encoding="utf-8")).items():
            yield from histories(content, key.split("::")[2])


def test_recorded_executions_fit_the_definition_they_ran(shared_logs: Path) -> None:
    folder = shared_logs / "histories" / "step_functions"
    histories = list(recorded(folder, 1_700_000_000.0))
    names = list(names_of_recordings(folder))
    assert len(names) == len(histories)
    chosen = [
        (name, case, history)
        for name, (case, history) in zip(names, histories, strict=True)
        if name in RECORDED and not any(isinstance(e["previousEventId"], str) for e in history)
    ]
    raw = b"\n".join(event_line(case, each) for _, case, events in chosen for each in events)
    events = decode(raw).filter(pl.col("reason").is_null())
    traces = ended(events, ENTERED)
    statuses = dict(events.select("case_id", "case_status").unique().iter_rows())
    models = {
        name: read_asl(json.dumps(made), name=name).model for name, made in RECORDED.items()
    }  # fmt: skip
    seen = set()
    for name, case, _ in chosen:
        modelled_failure = name in ("test_map_state_break_condition", "test_parallel_state_fail")
        if statuses[case] == "completed" or modelled_failure:
            seen.add(name)
            assert misfit(models[name], traces[case]) is None, name
    assert seen == set(RECORDED)


@pytest.mark.filterwarnings("ignore")
def test_random_definitions_allow_what_they_do_when_they_are_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import boto3
    from moto import mock_aws

    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "known")
    made = [Making(seed).body(2) for seed in range(15)]
    lines, running = [], {}
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        client = boto3.client("stepfunctions", "eu-west-1")
        for number, definition in enumerate(made):
            machine = client.create_state_machine(
                name=f"m{number}", definition=json.dumps(definition),
                roleArn="arn:aws:iam::123456789012:role/r",
            )["stateMachineArn"]  # fmt: skip
            started = client.start_execution(stateMachineArn=machine, input='{"items": [1, 2]}')
            running[started["executionArn"]] = definition
        for execution in running:
            until = time.monotonic() + 20
            while client.describe_execution(executionArn=execution)["status"] == "RUNNING":
                assert time.monotonic() < until
                time.sleep(0.02)
            found = client.get_execution_history(executionArn=execution)["events"]
            lines += [event_line(execution, each) for each in found]
    events = decode(b"\n".join(lines)).filter(pl.col("reason").is_null())
    traces = ended(events, ENTERED)
    assert {"completed", "failed"} <= set(events["case_status"].to_list())
    assert set(events["error_type"].drop_nulls().to_list()) == {"Mine"}
    for execution, definition in running.items():
        translation = read_asl(json.dumps(definition), name="m")
        assert misfit(translation.model, traces[execution]) is None, json.dumps(definition)
        assert soundness(translation.model.net).sound is not False, json.dumps(definition)


CIRCLE = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}}}


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ("", "no JSON"),
        ("[]", "has to be an object"),
        ({}, "has no States"),
        ({"States": {"A": {"Type": "Succeed"}}}, "has no StartAt"),
        ({"StartAt": "B", "States": {"A": {"Type": "Succeed"}}}, "StartAt leads to 'B'"),
        (CIRCLE, "States.A.Next leads to 'B'"),
        (body(A="Teleport"), "States.A is of type 'Teleport'"),
        (body(A={"Next": "A", "End": True}), "either Next or End"),
        ({"StartAt": "A", "States": {"A": {"Type": "Pass"}}}, "either Next or End"),
        (body(A={"Type": "Pass", "Catch": ALL}), "Pass state cannot have"),
        (body(A={"Type": "Choice", "Choices": []}), "has no choices"),
        (body(A=parallel()), "has no branches"),
        (body(A=parallel(body(A="Pass"))), "the name 'A', which another state has too"),
        (body(A=parallel(body(B="Pass"), body(B="Pass"))), "which another state has too"),
        (body(A=mapped({"StartAt": "B", "States": {}})), "leads to 'B'"),
        ({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": "yes"}}}, "true or false"),
        ('{"StartAt": "A", "StartAt": "B"}', "two fields named 'StartAt'"),
        (body(**{f"s{n}": "Pass" for n in range(10_000)}), "more than 5,000 elements"),
        ("[" * 100_000, "nested too deep"),
        ('{"StartAt": "\\ud800", "States": {"\\ud800": {"Type": "Succeed"}}}', "half a letter"),
    ],
)  # fmt: skip
def test_what_is_no_definition_is_said_with_its_place(definition: Any, message: str) -> None:
    text = definition if isinstance(definition, str) else json.dumps(definition)
    with pytest.raises(ModelError, match=re.escape(message)) as caught:
        read_asl(text, name="m")
    assert caught.value.hint


def test_blocks_nested_too_deep_are_refused() -> None:
    inner = body(last="Pass")
    for depth in range(60):
        inner = body(**{f"p{depth}": parallel(inner)})
    with pytest.raises(ModelError, match="nested deeper than"):
        read_asl(json.dumps(inner), name="m")


def test_a_thousand_states_take_no_time() -> None:
    begun = time.perf_counter()
    made = read(**{f"s{n}": "Pass" for n in range(1000)})
    assert len(made.model.net.transitions) == 1000
    assert time.perf_counter() - begun < 5
