"""AWS Step Functions, run by moto's interpreter of state machines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ingest.load import load
from ingest.sources.step_functions import StepFunctions
from miner.eventlog.store import EventStore
from miner.settings import settings
from tests.commands import answer, run
from tests.conftest import ROOT
from tests.ingest.contract import keeps_the_contract
from tests.servers.conformance import judged, matrix
from tests.servers.killing import killed_after
from tests.servers.moto import CREDENTIALS, Moto, serve
from tests.servers.waiting import until

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("step_functions")]

ROLE = "arn:aws:iam::123456789012:role/states"
EVENTS = 95
"""Of the four orders of `_first_orders`."""


class Orders:
    """A state machine that takes orders, and the people and services around it."""

    def __init__(self, moto: Moto) -> None:
        import boto3

        options = {"region_name": moto.region, "endpoint_url": moto.address}
        self.states = boto3.client("stepfunctions", **options)
        self.queues = boto3.client("sqs", **options)
        self.tables = boto3.client("dynamodb", **options)
        self.packing = self.queues.create_queue(QueueName="packing")["QueueUrl"]
        self.approvals = self.queues.create_queue(QueueName="approvals")["QueueUrl"]
        made = self.states.create_state_machine(
            name="orders", roleArn=ROLE, definition=self.definition(thank=False)
        )
        self.machine = made["stateMachineArn"]
        self.tokens: dict[str, str] = {}

    def definition(self, *, thank: bool) -> str:
        """The first version, or the second, in which customers are thanked."""
        send = "arn:aws:states:::sqs:sendMessage"
        packing = {"QueueUrl": self.packing, "MessageBody": "pack"}
        asking = {
            "QueueUrl": self.approvals,
            "MessageBody": {"order.$": "$$.Execution.Name", "token.$": "$$.Task.Token"},
        }
        money = {"TableName": "money", "Key": {"id": {"S": "1"}}}
        charge = {
            "Type": "Task",
            "Resource": "arn:aws:states:::dynamodb:getItem",
            "Parameters": money,
            "Retry": [
                {
                    "ErrorEquals": ["States.ALL"],
                    "IntervalSeconds": 1,
                    "MaxAttempts": 5,
                    "BackoffRate": 1,
                }
            ],
            "ResultPath": None,
            "Next": "Work",
        }
        branches = [
            {"StartAt": "Pack", "States": {"Pack": {"Type": "Pass", "End": True}}},
            {
                "StartAt": "Ship",
                "States": {
                    "Ship": {"Type": "Task", "Resource": send, "Parameters": packing, "End": True}
                },
            },
        ]
        lines = {
            "Type": "Map",
            "ItemsPath": "$.lines",
            "ItemProcessor": {
                "StartAt": "Label",
                "States": {"Label": {"Type": "Pass", "End": True}},
            },
            "ResultPath": None,
            "Next": "Approve",
        }
        approve = {
            "Type": "Task",
            "Resource": f"{send}.waitForTaskToken",
            "Parameters": asking,
            "Catch": [{"ErrorEquals": ["Declined"], "Next": "Refused"}],
            "Next": "Thank" if thank else "Done",
        }
        states: dict[str, Any] = {
            "Prepare": {"Type": "Pass", "Next": "Charge"},
            "Charge": charge,
            "Work": {"Type": "Parallel", "Branches": branches, "ResultPath": None, "Next": "Lines"},
            "Lines": lines,
            "Approve": approve,
            "Refused": {"Type": "Fail", "Error": "Biz.Declined", "Cause": "said no"},
            "Done": {"Type": "Succeed"},
        }
        if thank:
            states["Thank"] = {"Type": "Pass", "Next": "Done"}
        return json.dumps({"StartAt": "Prepare", "States": states})

    def start(self, name: str) -> str:
        asked = json.dumps({"lines": [1, 2]})
        started = self.states.start_execution(stateMachineArn=self.machine, name=name, input=asked)
        return str(started["executionArn"])

    def history(self, arn: str) -> list[dict[str, Any]]:
        found = self.states.get_execution_history(executionArn=arn)["events"]
        return list(found)

    def token(self, name: str) -> str:
        """The token that the execution waits for."""
        until(lambda: self._receive() or name in self.tokens)
        return self.tokens[name]

    def approve(self, name: str, arn: str) -> None:
        self.states.send_task_success(taskToken=self.token(name), output="{}")
        self.wait(arn, "SUCCEEDED")

    def wait(self, arn: str, status: str) -> None:
        until(lambda: self.states.describe_execution(executionArn=arn)["status"] == status)

    def _receive(self) -> bool:
        found = self.queues.receive_message(QueueUrl=self.approvals, MaxNumberOfMessages=10)
        for message in found.get("Messages", []):
            body = json.loads(message["Body"])
            self.tokens[body["order"]] = body["token"]
        return False


def _first_orders(orders: Orders) -> str:
    """Four orders: the first is charged at the third attempt, the third is declined.

    Gives the ARN of the fourth, which still waits.
    """
    first = orders.start("order-1")
    until(lambda: sum(each["type"] == "TaskFailed" for each in orders.history(first)) == 2)
    orders.tables.create_table(
        TableName="money",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    arns = {name: orders.start(name) for name in ("order-2", "order-3", "order-4")}
    orders.approve("order-1", first)
    orders.approve("order-2", arns["order-2"])
    orders.states.send_task_failure(taskToken=orders.token("order-3"), error="Declined", cause="no")
    orders.wait(arns["order-3"], "FAILED")
    orders.token("order-4")
    until(lambda: orders.history(arns["order-4"])[-1]["type"] == "TaskSubmitted")
    return arns["order-4"]


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        patch.delenv("AWS_PROFILE", raising=False)
        with serve() as found:
            yield found


@pytest.fixture(scope="module")
def orders(moto: Moto) -> Orders:
    return Orders(moto)


@pytest.fixture(scope="module")
def waiting(orders: Orders) -> str:
    return _first_orders(orders)


@pytest.fixture
def source(moto: Moto, waiting: str) -> StepFunctions:
    return StepFunctions(moto.region, moto.address, state_machine="orders", human_states="Approve")


def test_the_source_keeps_the_contract(source: StepFunctions) -> None:
    events = keeps_the_contract(source)
    assert events.height == EVENTS
    assert events["process"].unique().to_list() == ["orders"]


def test_attempts_failures_people_and_verdicts_are_exactly_those_that_were(
    source: StepFunctions, tmp_path: Path
) -> None:
    loaded = load(source, EventStore(tmp_path / "store"), process="aws")
    assert (loaded.counts.read, loaded.counts.new, loaded.cases) == (EVENTS, EVENTS, 4)
    found = answer(tmp_path, "summary", "orders")
    assert (found["cases"], found["open_cases"], found["failed_cases"]) == (4, 1, 1)
    failures = {row["activity"]: row for row in answer(tmp_path, "failures", "orders")}
    columns = ("attempts", "failed_attempts", "retries", "recovered", "top_error")
    assert {name: tuple(row[each] for each in columns) for name, row in failures.items()} == {
        "Prepare": (4, 0, 0, 0, None),
        "Charge": (6, 2, 2, 1, "DynamoDB.ResourceNotFoundException"),
        "Work": (4, 0, 0, 0, None),
        "Pack": (4, 0, 0, 0, None),
        "Ship": (4, 0, 0, 0, None),
        "Lines": (4, 0, 0, 0, None),
        "Label": (8, 0, 0, 0, None),
        "Approve": (3, 1, 0, 0, "Declined"),
        "Refused": (1, 1, 0, 0, "Biz.Declined"),
        "Done": (2, 0, 0, 0, None),
    }
    people = EventStore(tmp_path / "store").log("orders").query(
        "select count(*) as n from event where resource_kind = 'human' and activity = 'Approve'",
        pl.Schema({"n": pl.Int64()}),
    )  # fmt: skip
    assert people.item() == 4 + 3  # they began four approvals and ended three
    variants = answer(tmp_path, "variants", "orders")
    assert sum(row["cases"] for row in variants) == 4
    again = load(source, EventStore(tmp_path / "store"), process="aws")
    # Only the order that still waits was read again.
    assert (again.counts.new, again.counts.duplicate) == (0, 20)


def test_what_was_killed_while_loading_ends_up_the_same(
    source: StepFunctions, moto: Moto, tmp_path: Path
) -> None:
    calm, killed = EventStore(tmp_path / "calm"), EventStore(tmp_path / "killed")
    load(source, calm, process="aws")
    command = (
        *("step-functions", "--region", moto.region, "--endpoint", moto.address),
        *("--state-machine", "orders", "--human-states", "Approve", "--process", "aws"),
    )
    killed_after((1.0, 1.5, 2.0), *command, store=tmp_path / "killed", **CREDENTIALS)
    load(source, killed, process="aws")
    assert events_in(killed).equals(events_in(calm))


def test_what_happens_later_is_exactly_what_comes(
    source: StepFunctions, orders: Orders, waiting: str, tmp_path: Path
) -> None:
    store = EventStore(tmp_path / "store")
    load(source, store, process="aws")
    first = orders.definition(thank=False)
    second = orders.definition(thank=True)
    orders.approve("order-4", waiting)
    later = load(source, store, process="aws")
    # The end of Approve, and Done.
    assert (later.counts.new, later.counts.duplicate, later.counts.corrected) == (3, 20, 0)
    orders.states.update_state_machine(stateMachineArn=orders.machine, definition=second)
    orders.approve("order-5", orders.start("order-5"))
    later = load(source, store, process="aws")
    assert (later.counts.new, later.counts.corrected) == (25, 0)
    found = answer(tmp_path, "summary", "orders")
    assert (found["cases"], found["open_cases"]) == (5, 0)
    texts = {each.version: each.text for each in source.definitions()}
    assert sorted(texts.values()) == sorted([first, second])
    versions = store.log("orders").query(
        "select distinct case_id, process_version from event",
        pl.Schema({"case_id": pl.String(), "process_version": pl.String()}),
    )
    ran_on = {case[-7:]: texts[version] for case, version in versions.iter_rows()}
    assert ran_on["order-1"] == first and ran_on["order-5"] == second
    stored = store.read().sql("select version, text from definition where process = 'orders'")
    assert dict(stored.fetchall()) == texts


@pytest.mark.usefixtures("moto")
def test_the_matrix_shows_exactly_what_was_stopped(tmp_path: Path) -> None:
    with serve() as moto:
        orders = Orders(moto)
        orders.approve("order-4", _first_orders(orders))
        source = StepFunctions(moto.region, moto.address, state_machine="orders")
        # moto tells the newest version of every execution.
        load(source, EventStore(tmp_path / "store"), process="aws")
        second = orders.definition(thank=True)
        orders.states.update_state_machine(stateMachineArn=orders.machine, definition=second)
        orders.approve("order-5", orders.start("order-5"))
        orders.tables.delete_table(TableName="money")
        stopped = orders.start("order-6")
        until(lambda: orders.history(stopped)[-1]["type"] == "TaskFailed")
        orders.states.stop_execution(executionArn=stopped)
        orders.wait(stopped, "ABORTED")
        load(source, EventStore(tmp_path / "store"), process="aws")
        (version,) = [each.version for each in source.definitions() if each.text == second]
    # What it lacks of the shortest way to an end, which is to be refused.
    lacking = ("Approve", "Lines", "Pack", "Refused", "Ship", "Work")
    assert matrix(tmp_path, "orders") == [(version, each, "skipped", 1) for each in lacking]
    told = judged(tmp_path, "orders")
    assert (told["cases"], told["conforming_cases"], told["unmodelled_cases"]) == (6, 5, 0)
    assert {row["case_id"] for row in answer(tmp_path, "deviations", "orders")} == {stopped}


def test_the_page_of_the_source_says_how_to_configure_it(
    moto: Moto, waiting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "sources" / "step-functions.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("procession.toml").write_text(
        block.replace("https://states.eu-west-1.amazonaws.com", moto.address), encoding="utf-8"
    )
    settings.cache_clear()
    done = run(tmp_path, "sync")
    assert done.exit_code == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert row["new"] >= EVENTS
    settings.cache_clear()


def test_executions_that_are_stopped_or_time_out_and_distributed_maps_are_told(
    moto: Moto, orders: Orders, waiting: str
) -> None:
    late = {"TimeoutSeconds": 1, "StartAt": "Sleep",
            "States": {"Sleep": {"Type": "Wait", "Seconds": 30, "End": True}}}  # fmt: skip
    each = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "One",
        "States": {"One": {"Type": "Pass", "End": True}},
    }
    mapped = {"Type": "Map", "ItemsPath": "$.lines", "ItemProcessor": each, "End": True}
    spread = {"StartAt": "Spread", "States": {"Spread": mapped}}
    slow = {key: value for key, value in late.items() if key != "TimeoutSeconds"}
    ends = {"late": "TIMED_OUT", "slow": "ABORTED", "spread": "SUCCEEDED"}
    for name, definition in (("late", late), ("slow", slow), ("spread", spread)):
        made = orders.states.create_state_machine(
            name=name, roleArn=ROLE, definition=json.dumps(definition)
        )
        started = orders.states.start_execution(
            stateMachineArn=made["stateMachineArn"], name="one", input='{"lines": [1, 2]}'
        )
        if name == "slow":
            until(lambda arn=started["executionArn"]: len(orders.history(arn)) == 2)  # type: ignore[misc]
            orders.states.stop_execution(executionArn=started["executionArn"])
        orders.wait(started["executionArn"], ends[name])
    # moto runs a distributed map without child executions that could be listed.
    columns = ("activity", "lifecycle", "case_status")
    told = {
        name: pl.concat(StepFunctions(moto.region, moto.address, None, name, map_runs=False).read())
        .select(columns)
        .rows()
        for name in ends
    }
    assert told == {
        "late": [("Sleep", "start", "timed_out"), ("Sleep", "timeout", "timed_out")],
        "slow": [("Sleep", "start", "cancelled"), ("Sleep", "cancel", "cancelled")],
        "spread": [("Spread", "start", "completed"), ("Spread", "complete", "completed")],
    }


def events_in(store: EventStore) -> pl.DataFrame:
    """All events, without what differs between two stores by design."""
    return store.log("orders").query(
        """
        select case_id, event_id, activity, instance_id, lifecycle, timestamp, position, attempt
        from event
        order by case_id, position, event_id
        """,
        pl.Schema(
            {
                "case_id": pl.String(),
                "event_id": pl.String(),
                "activity": pl.String(),
                "instance_id": pl.String(),
                "lifecycle": pl.String(),
                "timestamp": pl.Datetime("us"),
                "position": pl.Int64(),
                "attempt": pl.Int32(),
            }
        ),
    )
