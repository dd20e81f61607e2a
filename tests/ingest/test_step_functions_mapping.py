"""What histories of Step Functions become: recorded ones of AWS, and the documented protocol."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ingest.load import load
from ingest.source import Known
from ingest.sources.step_functions import StepFunctions
from ingest.step_functions.history import decode
from ingest.step_functions.lines import event_line
from miner.errors import SourceError, SourceRefusedError, SourceUnavailableError
from miner.eventlog.store import EventStore
from tests.commands import answer
from tests.ingest.local_server import Answer
from tests.ingest.step_functions_api import (
    PLACE,
    REGION,
    ROOT_TEXT,
    Account,
    arn,
    event,
    failed_then_redriven,
    recorded,
    refused,
    serving,
    waited,
)

NOW = float(int(time.time())) - 600
ENDS = ("complete", "fail", "timeout", "cancel")


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAKNOWN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret-of-aws")
    monkeypatch.delenv("AWS_PROFILE", raising=False)


def lines(*histories: tuple[str, list[dict[str, Any]]]) -> bytes:
    return b"\n".join(
        event_line(execution, each) for execution, events in histories for each in events
    )


def told(*events: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Activity, instance, lifecycle and attempt of a history, in order."""
    found = decode(lines((arn("one"), list(events))))
    return found.select("activity", "instance_id", "lifecycle", "attempt").rows()


def test_every_recorded_history_of_aws_becomes_events(shared_logs: Path) -> None:
    histories = list(recorded(shared_logs / "histories" / "step_functions", NOW))
    assert len(histories) > 400
    found = decode(lines(*histories))
    events = found.filter(pl.col("reason").is_null())
    # Five histories were recorded with the ids masked that tell branches apart.
    assert found.height - events.height < 20
    assert events["event_id"].is_unique().all()
    entered = sum(e["type"].endswith("StateEntered") for _, h in histories for e in h)
    assert events.filter(pl.col("lifecycle").is_in(["scheduled", "start"])).height >= entered
    # All executions had ended, so every attempt has exactly one end.
    ends = events.group_by("case_id", "instance_id").agg(
        pl.col("lifecycle").is_in(ENDS).sum().alias("ends")
    )
    assert ends["ends"].unique().to_list() == [1]
    failed = {case for case, h in histories if h[-1]["type"] == "ExecutionFailed"}
    assert set(events.filter(pl.col("case_status") == "failed")["case_id"]) == failed


def test_work_scheduled_again_under_one_entering_is_the_next_attempt() -> None:
    before, _ = failed_then_redriven(NOW)
    assert told(*before) == [
        ("Charge", "2/1", "scheduled", 1),
        ("Charge", "2/1", "start", 1),
        ("Charge", "2/1", "fail", 1),
        ("Charge", "2/2", "scheduled", 2),
        ("Charge", "2/2", "start", 2),
        ("Charge", "2/2", "timeout", 2),
    ]


def test_a_redrive_orders_what_had_not_succeeded_however_the_history_goes_on() -> None:
    before, after = failed_then_redriven(NOW)
    scheduled_again = told(*before, *after)[6:]
    entered = event(11, 10, "TaskStateEntered", NOW + 60, name="Charge")
    moved = [
        each | {"id": each["id"] + 1, "previousEventId": each["previousEventId"] + 1}
        for each in after[1:]
    ]
    entered_again = told(*before, after[0], entered, *moved)[6:]
    expected = ["retry", "scheduled", "start", "complete"]
    assert [row[2] for row in scheduled_again] == expected
    assert [row[2] for row in entered_again] == expected
    assert {row[1] for row in scheduled_again} == {None, "2/3"}
    assert {row[1] for row in entered_again} == {None, "11/1"}


def test_a_state_that_was_stopped_begins_again_with_the_redrive() -> None:
    assert told(
        *waited(NOW, done=False),
        event(3, 2, "ExecutionAborted", NOW + 1),
        event(4, 3, "ExecutionRedriven", NOW + 60, redriveCount=1),
        event(5, 4, "WaitStateExited", NOW + 62, name="Pay"),
        event(6, 5, "ExecutionSucceeded", NOW + 62),
    ) == [
        ("Pay", "2/1", "start", 1),
        ("Pay", "2/1", "cancel", 1),
        ("Pay", None, "retry", None),
        ("Pay", "2/2", "start", 2),
        ("Pay", "2/2", "complete", 2),
    ]


def test_what_a_failing_branch_leaves_open_is_cancelled_with_it() -> None:
    assert told(
        event(1, 0, "ExecutionStarted", NOW, roleArn="r"),
        event(2, 0, "ParallelStateEntered", NOW, name="Both"),
        event(3, 2, "ParallelStateStarted", NOW),
        event(4, 3, "WaitStateEntered", NOW, name="Slow"),
        event(5, 3, "PassStateEntered", NOW, name="Quick"),
        event(6, 5, "PassStateExited", NOW, name="Quick"),
        event(7, 6, "FailStateEntered", NOW + 1, name="Stop"),
        event(8, 7, "ParallelStateFailed", NOW + 1),
        event(9, 8, "ParallelStateExited", NOW + 1, name="Both"),
        event(10, 9, "ExecutionSucceeded", NOW + 2),
    ) == [
        ("Both", "2/1", "start", 1),
        ("Slow", "4/1", "start", 1),
        ("Quick", "5/1", "start", 1),
        ("Quick", "5/1", "complete", 1),
        ("Stop", "7/1", "start", 1),
        ("Stop", "7/1", "fail", 1),
        ("Slow", "4/1", "cancel", 1),
        ("Both", "2/1", "fail", 1),
    ]


def test_branches_and_iterations_that_interleave_are_told_apart() -> None:
    found = decode(
        lines(
            (
                arn("one"),
                [
                    event(1, 0, "ExecutionStarted", NOW, roleArn="r"),
                    event(2, 0, "MapStateEntered", NOW, name="Each"),
                    event(3, 2, "MapStateStarted", NOW, length=2),
                    event(4, 3, "MapIterationStarted", NOW, name="Each", index=0),
                    event(5, 3, "MapIterationStarted", NOW, name="Each", index=1),
                    event(6, 5, "WaitStateEntered", NOW, name="Do"),
                    event(7, 4, "WaitStateEntered", NOW, name="Do"),
                    event(8, 6, "WaitStateExited", NOW + 1, name="Do"),
                    event(9, 7, "WaitStateExited", NOW + 2, name="Do"),
                    event(10, 8, "MapIterationSucceeded", NOW + 1, name="Each", index=1),
                    event(11, 9, "MapIterationSucceeded", NOW + 2, name="Each", index=0),
                    event(12, 11, "MapStateSucceeded", NOW + 2),
                    event(13, 11, "MapStateExited", NOW + 2, name="Each"),
                    event(14, 13, "ExecutionSucceeded", NOW + 2),
                ],
            )
        )
    )
    work = found.filter(pl.col("activity") == "Do").with_columns(
        pl.col("attributes").str.json_path_match("$.iteration").alias("iteration")
    )
    assert work.select("instance_id", "lifecycle", "iteration").rows() == [
        ("6/1", "start", "1"),
        ("7/1", "start", "0"),
        ("6/1", "complete", "1"),
        ("7/1", "complete", "0"),
    ]


def test_an_execution_that_fails_before_any_state_is_a_case_all_the_same() -> None:
    assert told(
        event(1, 0, "ExecutionStarted", NOW, roleArn="r"),
        event(2, 0, "ExecutionFailed", NOW, error="States.Runtime", cause="no such path"),
    ) == [("Execution", "1", "start", None), ("Execution", "1", "fail", None)]


def test_a_task_that_starts_another_execution_names_it() -> None:
    begun = [
        event(1, 0, "ExecutionStarted", NOW, roleArn="r"),
        event(2, 0, "TaskStateEntered", NOW, name="Call"),
        event(3, 2, "TaskScheduled", NOW, resource="startExecution.sync", resourceType="states"),
        event(4, 3, "TaskStarted", NOW, resource="startExecution.sync", resourceType="states"),
        event(5, 4, "TaskSubmitted", NOW, output=json.dumps({"ExecutionArn": arn("other")})),
        event(6, 5, "TaskSucceeded", NOW + 9, resource="startExecution.sync"),
    ]
    found = decode(lines((arn("one"), begun)))
    end = found.filter(pl.col("lifecycle") == "complete")["attributes"].item()
    assert json.loads(end)["started_execution"] == arn("other")


def test_what_is_unknown_or_broken_goes_to_quarantine_and_the_rest_is_kept() -> None:
    good = waited(NOW)
    strange = event(9, 4, "TaskDreamed", NOW + 3)
    broken = {"id": "nine", "previousEventId": 1, "type": "TaskStarted", "timestamp": NOW}
    found = decode(lines((arn("one"), [*good, strange, broken])))
    rejected = found.filter(pl.col("reason").is_not_null())
    assert found.height - rejected.height == 2
    assert sorted(json.loads(text)["event"]["type"] for text in rejected["record"]) == [
        "TaskDreamed",
        "TaskStarted",
    ]


def test_bytes_that_are_no_history_are_refused() -> None:
    with pytest.raises(SourceRefusedError, match="not JSON"):
        decode(b"<html>sign in</html>")


@pytest.fixture
def account() -> Iterator[tuple[Account, StepFunctions]]:
    account = Account()
    with serving(account) as address:
        yield account, StepFunctions(REGION, address)


def test_all_pages_of_lists_and_histories_are_read(
    account: tuple[Account, StepFunctions], tmp_path: Path
) -> None:
    states, source = account
    for number in range(7):
        states.add(f"e{number}", waited(NOW + number), "SUCCEEDED")
    loaded = load(source, EventStore(tmp_path / "store"), process="aws")
    assert (loaded.cases, loaded.counts.new) == (7, 14)
    assert [each.kind for each in loaded.limitations] == ["hidden"]  # the express machine
    (definition, *_), *rest = [list(source.definitions())]
    assert definition.text == ROOT_TEXT and not rest


def test_a_redrive_is_an_intervention_and_loses_no_attempt(
    account: tuple[Account, StepFunctions], tmp_path: Path
) -> None:
    states, source = account
    before, after = failed_then_redriven(NOW)
    states.add("one", before, "FAILED")
    store = EventStore(tmp_path / "store")
    assert load(source, store, process="aws").counts.new == 6
    assert answer(tmp_path, "summary", "orders")["failed_cases"] == 1
    states.executions.clear()
    redriven = {"redriveCount": 1, "redriveDate": time.time()}
    states.add("one", before + after, "SUCCEEDED", **redriven)
    again = load(source, store, process="aws")
    # The order to begin again, and the three events of the third attempt.
    assert (again.counts.new, again.counts.corrected) == (4, 0)
    (row,) = answer(tmp_path, "failures", "orders")
    assert (row["attempts"], row["failed_attempts"], row["recovered"]) == (3, 2, 1)
    assert row["retries"] == 1  # the engine's; the other repetition is a person's
    (case,) = store.log("orders").query(
        'select interventions, status::varchar as status from "case"',
        pl.Schema({"interventions": pl.Int64(), "status": pl.String()}),
    ).rows()  # fmt: skip
    assert case == (1, "completed")
    assert any("redriven" in each.text for each in again.limitations)


def test_children_of_a_distributed_map_know_their_parent(
    account: tuple[Account, StepFunctions],
) -> None:
    states, source = account
    run = f"{PLACE}:mapRun:orders/Each:1"
    parent = [
        event(1, 0, "ExecutionStarted", NOW, roleArn="r"),
        event(2, 0, "MapStateEntered", NOW, name="Spread"),
        event(3, 2, "MapStateStarted", NOW, length=3),
        event(4, 3, "MapRunStarted", NOW, mapRunArn=run),
        event(5, 4, "MapRunSucceeded", NOW + 3),
        event(6, 5, "MapStateSucceeded", NOW + 3),
        event(7, 5, "MapStateExited", NOW + 3, name="Spread"),
        event(8, 7, "ExecutionSucceeded", NOW + 3),
    ]
    states.add("one", parent, "SUCCEEDED")
    states.map_runs[run] = [
        {"executionArn": arn(f"c{n}", "orders/Each"), "mapRunArn": run, "status": "SUCCEEDED",
         "stateMachineArn": f"{PLACE}:stateMachine:orders/Each", "name": f"c{n}",
         "startDate": NOW, "stopDate": NOW + 2}
        for n in range(3)
    ]  # fmt: skip
    states.histories |= {arn(f"c{n}", "orders/Each"): waited(NOW) for n in range(3)}
    events = pl.concat(source.read())
    spread = events.filter((pl.col("activity") == "Spread") & (pl.col("lifecycle") == "complete"))
    assert json.loads(spread["attributes"].item())["map_run"] == run
    children = events.filter(pl.col("process") == "orders/Each")
    assert children["case_id"].n_unique() == 3
    assert children["parent_case_id"].unique().to_list() == [arn("one")]
    assert {each.process for each in source.definitions()} == {"orders", "orders/Each"}


def test_a_pass_that_was_interrupted_goes_on_below_where_it_stopped(
    account: tuple[Account, StepFunctions], monkeypatch: pytest.MonkeyPatch
) -> None:
    states, source = account
    monkeypatch.setattr("ingest.step_functions.reading.EVENTS_PER_PIECE", 1)
    for number in range(5):
        states.add(f"e{number}", waited(NOW - 3600 * (5 - number)), "SUCCEEDED")
    pieces = source.fetch(Known())
    seen = [next(pieces) for _ in range(3)]
    states.add("e5", waited(NOW), "SUCCEEDED")  # begins while the first pass is interrupted
    states.asked.clear()
    rest = list(StepFunctions(REGION, source.endpoint).fetch(Known(cursor=seen[-1].cursor)))
    events = pl.concat(source.decode(piece.raw) for piece in [*seen, *rest])
    assert events["case_id"].n_unique() == 6
    fetched = [a["executionArn"] for what, a in states.asked if what == "GetExecutionHistory"]
    assert arn("e4") not in fetched  # it was stored, and lies above where the first pass stopped


@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        (refused("UnrecognizedClientException"), SourceRefusedError, "UnrecognizedClient"),
        (refused("ExpiredTokenException"), SourceRefusedError, "ExpiredToken"),
        (refused("AccessDeniedException"), SourceRefusedError, "AccessDenied"),
        (refused("ThrottlingException"), SourceUnavailableError, "Throttling"),
        (refused("InternalFailure", 500), SourceUnavailableError, "InternalFailure"),
        (Answer(b"<html>sign in</html>"), SourceRefusedError, "has no stateMachines"),
        (Answer({"things": []}), SourceRefusedError, "has no stateMachines"),
    ],
)
def test_what_goes_wrong_is_said_in_a_sentence(
    account: tuple[Account, StepFunctions],
    fault: Answer,
    error: type[SourceError],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    states, source = account
    monkeypatch.setattr("ingest.step_functions.api.TRIES", 1)
    states.fault = lambda action, asked: fault
    with pytest.raises(error, match=says) as caught:
        list(source.read())
    assert caught.value.hint and "s3cret" not in str(caught.value)


def test_a_page_that_comes_twice_is_refused_and_what_was_read_is_kept(
    account: tuple[Account, StepFunctions], tmp_path: Path
) -> None:
    states, source = account
    for number in range(3):
        states.add(f"e{number}", waited(NOW + number), "SUCCEEDED")

    def stuck(action: str, asked: dict[str, Any]) -> Answer | None:
        if action == "ListExecutions" and "nextToken" in asked:
            return Answer({"executions": states.executions[:1], "nextToken": asked["nextToken"]})
        return None

    states.fault = stuck
    with pytest.raises(SourceRefusedError, match="same page of executions twice"):
        load(source, EventStore(tmp_path / "store"), process="aws")


def test_a_system_that_is_away_is_said_to_be_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.step_functions.api.TRIES", 1)
    with pytest.raises(SourceUnavailableError, match="does not answer"):
        list(StepFunctions(REGION, "http://127.0.0.1:9").read())


def test_an_execution_whose_history_is_gone_is_counted(
    account: tuple[Account, StepFunctions], tmp_path: Path
) -> None:
    states, source = account
    states.add("one", waited(NOW), "SUCCEEDED")
    states.add("two", waited(NOW + 1), "SUCCEEDED")

    def gone(action: str, asked: dict[str, Any]) -> Answer | None:
        old = asked.get("executionArn") == arn("one")
        return refused("ExecutionDoesNotExist") if old else None

    states.fault = gone
    loaded = load(source, EventStore(tmp_path / "store"), process="aws")
    assert loaded.cases == 1
    assert {(e.kind, e.events) for e in loaded.limitations} >= {("retention", 1)}
