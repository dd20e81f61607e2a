"""The documented answers of Step Functions: pages, redrives, map runs, faults.

moto has no paging, no redrive and no child executions; this has, and nothing that runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.ingest.local_server import Answer, Request, answering

REGION = "eu-west-1"
PLACE = f"arn:aws:states:{REGION}:123456789012"
MACHINE = f"{PLACE}:stateMachine:orders"
ROOT_TEXT = '{"StartAt": "Pay", "States": {"Pay": {"Type": "Wait", "Seconds": 1, "End": true}}}'


def arn(name: str, machine: str = "orders") -> str:
    return f"{PLACE}:execution:{machine}:{name}"


def event(number: int, before: int, kind: str, at: float, **details: Any) -> dict[str, Any]:
    """One history event; `details` go under the name that the API gives them."""
    found = {"id": number, "previousEventId": before, "type": kind, "timestamp": at}
    name = kind[0].lower() + kind[1:]
    if kind.endswith("StateEntered"):
        name = "stateEntered"
    elif kind.endswith("StateExited"):
        name = "stateExited"
    return found | ({f"{name}EventDetails": details} if details else {})


@dataclass
class Account:
    """Executions, newest first, and how the API misbehaves."""

    executions: list[dict[str, Any]] = field(default_factory=list)
    histories: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    map_runs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    page: int = 2
    fault: Callable[[str, dict[str, Any]], Answer | None] = lambda action, asked: None
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def add(self, name: str, history: list[dict[str, Any]], status: str, **more: Any) -> None:
        item = {
            "executionArn": arn(name),
            "stateMachineArn": MACHINE,
            "name": name,
            "status": status,
            "startDate": history[0]["timestamp"],
            "stopDate": history[-1]["timestamp"],
        }
        if status == "RUNNING":
            del item["stopDate"]
        self.executions.insert(0, item | more)
        self.histories[arn(name)] = history

    def answer(self, request: Request) -> Answer:
        action = request.headers["X-Amz-Target"].split(".")[1]
        asked = json.loads(request.body)
        self.asked.append((action, asked))
        return self.fault(action, asked) or getattr(self, f"_{action}")(asked)

    def _ListStateMachines(self, asked: dict[str, Any]) -> Answer:
        machine = {"stateMachineArn": MACHINE, "name": "orders", "type": "STANDARD"}
        express = {**machine, "stateMachineArn": f"{MACHINE}-x", "name": "o-x", "type": "EXPRESS"}
        found = [{**each, "creationDate": 1.0} for each in (machine, express)]
        return self._paged("stateMachines", found, asked)

    def _DescribeStateMachine(self, asked: dict[str, Any]) -> Answer:
        return Answer({"stateMachineArn": MACHINE, "name": "orders", "definition": ROOT_TEXT,
                       "roleArn": "r", "type": "STANDARD", "creationDate": 1.0})  # fmt: skip

    def _DescribeStateMachineForExecution(self, asked: dict[str, Any]) -> Answer:
        name = asked["executionArn"].split(":")[6]
        return Answer({"stateMachineArn": f"{PLACE}:stateMachine:{name}", "name": name,
                       "definition": ROOT_TEXT, "roleArn": "r", "updateDate": 2.0,
                       "revisionId": "rev-7"})  # fmt: skip

    def _DescribeExecution(self, asked: dict[str, Any]) -> Answer:
        (found,) = (e for e in self.executions if e["executionArn"] == asked["executionArn"])
        return Answer(found)

    def _ListExecutions(self, asked: dict[str, Any]) -> Answer:
        if "mapRunArn" in asked:
            return self._paged("executions", self.map_runs[asked["mapRunArn"]], asked)
        found = self.executions
        if asked.get("redriveFilter") == "REDRIVEN":
            found = [each for each in found if each.get("redriveCount")]
        return self._paged("executions", found, asked)

    def _GetExecutionHistory(self, asked: dict[str, Any]) -> Answer:
        return self._paged("events", self.histories[asked["executionArn"]], asked)

    def _paged(self, key: str, found: list[Any], asked: dict[str, Any]) -> Answer:
        begin = int(asked.get("nextToken", 0))
        end = begin + self.page
        more = {"nextToken": str(end)} if end < len(found) else {}
        return Answer({key: found[begin:end], **more})


def refused(code: str, status: int = 400) -> Answer:
    return Answer({"__type": code, "message": f"it said {code}"}, status)


@contextmanager
def serving(account: Account) -> Iterator[str]:
    with answering(account.answer) as server:
        yield server.address


def waited(at: float, *, done: bool = True) -> list[dict[str, Any]]:
    """An execution whose one state waits for two seconds."""
    history = [
        event(1, 0, "ExecutionStarted", at, roleArn="r"),
        event(2, 0, "WaitStateEntered", at, name="Pay"),
    ]
    ended = [
        event(3, 2, "WaitStateExited", at + 2, name="Pay"),
        event(4, 3, "ExecutionSucceeded", at + 2),
    ]
    return history + (ended if done else [])


def failed_then_redriven(at: float) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A task that fails twice, which ends the execution; then the redrive, in which it succeeds."""
    work = {"resource": "charge", "resourceType": "lambda"}
    before = [
        event(1, 0, "ExecutionStarted", at, roleArn="r"),
        event(2, 0, "TaskStateEntered", at, name="Charge"),
        event(3, 2, "TaskScheduled", at, region=REGION, parameters="{}", **work),
        event(4, 3, "TaskStarted", at + 1, **work),
        event(5, 4, "TaskFailed", at + 2, error="Broke", cause="no money", **work),
        event(6, 5, "TaskScheduled", at + 3, region=REGION, parameters="{}", **work),
        event(7, 6, "TaskStarted", at + 3, **work),
        event(8, 7, "TaskTimedOut", at + 5, error="States.Timeout", **work),
        event(9, 8, "ExecutionFailed", at + 5, error="States.Timeout"),
    ]
    after = [
        event(10, 9, "ExecutionRedriven", at + 60, redriveCount=1),
        event(11, 10, "TaskScheduled", at + 60, region=REGION, parameters="{}", **work),
        event(12, 11, "TaskStarted", at + 61, **work),
        event(13, 12, "TaskSucceeded", at + 62, **work),
        event(14, 13, "TaskStateExited", at + 62, name="Charge"),
        event(15, 14, "ExecutionSucceeded", at + 62),
    ]
    return before, after


def recorded(folder: Path, at: float) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Every history in the snapshots; times and some ids are masked in them, so are put back."""

    def histories(value: Any) -> Iterator[list[dict[str, Any]]]:
        if isinstance(value, dict):
            events = value.get("events")
            if isinstance(events, list) and events and "previousEventId" in events[0]:
                yield events
            value = list(value.values())
        if isinstance(value, list):
            for each in value:
                yield from histories(each)

    number = 0
    for file in sorted(folder.glob("*.json")):
        for events in histories(json.loads(file.read_text(encoding="utf-8"))):
            number += 1
            shown = [
                {**each, "timestamp": at + place, "id": place}
                if not isinstance(each["id"], int)
                else {**each, "timestamp": at + place}
                for place, each in enumerate(events, start=1)
            ]
            yield arn(f"recorded-{number}"), shown
