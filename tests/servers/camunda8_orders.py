"""People and workers who take orders in Camunda 8, with a known number of everything."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx

from tests.servers.camunda8 import Camunda
from tests.servers.waiting import LIMIT, until

_ORDER = """\
<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" targetNamespace="orders">
  <error id="refused" errorCode="REFUSED"/>
  <process id="order" name="Order" isExecutable="true">
    <extensionElements><zeebe:versionTag value="{tag}"/></extensionElements>
    <startEvent id="placed" name="Order placed"/>
    <serviceTask id="charge" name="Charge card">
      <extensionElements><zeebe:taskDefinition type="charge"/></extensionElements>
    </serviceTask>
    <serviceTask id="check" name="Check order">
      <extensionElements><zeebe:taskDefinition type="check" retries="2"/></extensionElements>
    </serviceTask>
    <boundaryEvent id="refusal" name="Order refused" attachedToRef="check">
      <outgoing>f6</outgoing><errorEventDefinition errorRef="refused"/>
    </boundaryEvent>
    <serviceTask id="refund" name="Refund">
      <extensionElements><zeebe:taskDefinition type="refund"/></extensionElements>
    </serviceTask>
    <endEvent id="over"/>
    <userTask id="approve" name="Approve order">
      <extensionElements><zeebe:userTask/></extensionElements>
    </userTask>
    <callActivity id="ship" name="Ship order">
      <extensionElements><zeebe:calledElement processId="shipping"/></extensionElements>
    </callActivity>
    <exclusiveGateway id="known" name="Known customer?" default="f8">
      <incoming>f5</incoming><outgoing>f7</outgoing><outgoing>f8</outgoing>
    </exclusiveGateway>
    {thank}
    <endEvent id="done"/>
    <sequenceFlow id="f1" sourceRef="placed" targetRef="charge"/>
    <sequenceFlow id="f2" sourceRef="charge" targetRef="check"/>
    <sequenceFlow id="f3" sourceRef="check" targetRef="approve"/>
    <sequenceFlow id="f4" sourceRef="approve" targetRef="ship"/>
    <sequenceFlow id="f5" sourceRef="ship" targetRef="known"/>
    <sequenceFlow id="f6" sourceRef="refusal" targetRef="refund"/>
    <sequenceFlow id="f7" sourceRef="known" targetRef="{next}">
      <conditionExpression>=known = true</conditionExpression>
    </sequenceFlow>
    <sequenceFlow id="f8" sourceRef="known" targetRef="done"/>
    <sequenceFlow id="f9" sourceRef="refund" targetRef="over"/>
  </process>
</definitions>
"""
_THANK = """\
<serviceTask id="thank" name="Thank customer">
      <extensionElements><zeebe:taskDefinition type="thank"/></extensionElements>
    </serviceTask>
    <sequenceFlow id="f10" sourceRef="thank" targetRef="done"/>"""

ORDER = _ORDER.format(tag="first", thank="", next="done")
SECOND_ORDER = _ORDER.format(tag="second", thank=_THANK, next="thank")
"""Known customers are thanked."""
SHIPPING = """\
<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" targetNamespace="orders">
  <process id="shipping" name="Shipping" isExecutable="true">
    <startEvent id="begin"/>
    <serviceTask id="pack" name="Pack">
      <extensionElements><zeebe:taskDefinition type="pack"/></extensionElements>
    </serviceTask>
    <endEvent id="end"/>
    <sequenceFlow id="f1" sourceRef="begin" targetRef="pack"/>
    <sequenceFlow id="f2" sourceRef="pack" targetRef="end"/>
  </process>
</definitions>
"""


class Orders:
    """Somebody who drives a broker over its REST interface."""

    def __init__(self, camunda: Camunda) -> None:
        self.camunda = camunda
        self.api = httpx.Client(base_url=camunda.address, timeout=LIMIT)
        self.cases: dict[str, int] = {}

    def known_work(self) -> None:
        """Six orders; what became of each is said at its method."""
        self.deploy(ORDER, SHIPPING)
        self.one()
        self.two()
        self.three()
        self.four()
        self.until_approval("six")
        second = self.deploy(SECOND_ORDER)
        self.five()
        self.six(second)
        self.camunda.settled()

    def one(self) -> None:
        """The card is declined twice, then everything goes well."""
        self.start("one")
        self.fail("charge", 2)
        self.fail("charge", 1)
        self.work("charge", "check")
        self.approve("one", "ada")
        self.work("pack")

    def two(self) -> None:
        """No tries are left; somebody gives one more and resolves the incident, then cancels."""
        self.start("two")
        self.fail("charge", 0)
        self.resolve("two")
        self.work("charge", "check")
        self.task("two")
        self.call("POST", f"/process-instances/{self.cases['two']}/cancellation", {})

    def three(self) -> None:
        """The order is refused by an error that a boundary event catches."""
        self.start("three")
        self.work("charge")
        (job,) = self.jobs("check")
        self.call("POST", f"/jobs/{job['key']}/error", {"errorCode": "REFUSED"})
        self.work("refund")

    def four(self) -> None:
        """A worker is too late; later somebody sends the order back, and it waits for approval."""
        self.start("four")
        (late,) = self.jobs("charge", milliseconds=300)
        self.found("JOB", "TIMED_OUT", lambda record: record["key"] == late["key"])
        self.work("charge", "check")
        self.move("four", "charge")
        self.work("charge", "check")
        self.task("four", nth=2)

    def five(self) -> None:
        """A known customer, on the second version."""
        self.until_approval("five", known=True)
        self.approve("five", "bob")
        self.work("pack", "thank")

    def six(self, second: int) -> None:
        """Moved from the first version to the second while it waited for approval."""
        mapping = {"sourceElementId": "approve", "targetElementId": "approve"}
        plan = {"targetProcessDefinitionKey": str(second), "mappingInstructions": [mapping]}
        self.call("POST", f"/process-instances/{self.cases['six']}/migration", plan)
        self.approve("six", "ada")
        self.work("pack")

    def until_approval(self, name: str, *, known: bool = False) -> None:
        """An order that goes well up to its approval."""
        self.start(name, known=known)
        self.work("charge", "check")
        self.task(name)

    def deploy(self, *models: str) -> int:
        """Deploy models in one go; the key of the first of them."""
        files = [
            ("resources", (f"{number}.bpmn", text)) for number, text in enumerate(models, start=1)
        ]
        before = self.exported("COMMAND_DISTRIBUTION")
        answer = self.api.post("/v2/deployments", files=files)
        assert answer.status_code == 200, answer.text
        # Other partitions learn of it later.
        finished = sum(record["intent"] == "FINISHED" for record in before)
        self.found("COMMAND_DISTRIBUTION", "FINISHED", lambda _: True, nth=finished + 1)
        first = answer.json()["deployments"][0]["processDefinition"]
        return int(first["processDefinitionKey"])

    def start(self, name: str, *, known: bool = False) -> None:
        """Begin an order."""
        body = {"processDefinitionId": "order", "variables": {"known": known}}
        self.cases[name] = self.call("POST", "/process-instances", body)["processInstanceKey"]

    def work(self, *kinds: str) -> None:
        """A worker takes the one job there is of each kind in turn and completes it."""
        for kind in kinds:
            (job,) = self.jobs(kind)
            self.call("POST", f"/jobs/{job['key']}/completion", {})

    def fail(self, kind: str, retries: int) -> None:
        """A worker takes the one job of a kind and fails."""
        (job,) = self.jobs(kind)
        body = {"retries": retries, "errorMessage": f"{kind} failed"}
        self.call("POST", f"/jobs/{job['key']}/failure", body)

    def move(self, name: str, element: str) -> None:
        """Somebody moves a case that waits for its approval somewhere else."""
        task = self.task(name)["value"]["elementInstanceKey"]
        instructions = {
            "activateInstructions": [{"elementId": element}],
            "terminateInstructions": [{"elementInstanceKey": str(task)}],
        }
        self.call("POST", f"/process-instances/{self.cases[name]}/modification", instructions)

    def jobs(self, kind: str, milliseconds: int = 60_000) -> list[dict[str, Any]]:
        """The jobs of a kind that a worker is given for so long."""
        body = {"type": kind, "worker": f"{kind}-worker", "timeout": milliseconds,
                "maxJobsToActivate": 10, "requestTimeout": 10_000}  # fmt: skip
        return list(self.call("POST", "/jobs/activation", body)["jobs"])

    def resolve(self, name: str) -> None:
        """Somebody gives the failed job of a case one more try."""
        incident = self.found(
            "INCIDENT", "CREATED",
            lambda record: record["value"]["processInstanceKey"] == self.cases[name],
        )  # fmt: skip
        job = incident["value"]["jobKey"]
        self.call("PATCH", f"/jobs/{job}", {"changeset": {"retries": 1}})
        self.call("POST", f"/incidents/{incident['key']}/resolution", {})

    def task(self, name: str, nth: int = 1) -> dict[str, Any]:
        """The record of the n-th user task of a case."""
        return self.found(
            "USER_TASK", "CREATED",
            lambda record: record["value"]["processInstanceKey"] == self.cases[name], nth=nth,
        )  # fmt: skip

    def approve(self, name: str, person: str, nth: int = 1) -> None:
        """A person takes the user task of a case and completes it."""
        key = self.task(name, nth)["key"]
        self.call("POST", f"/user-tasks/{key}/assignment", {"assignee": person})
        self.call("POST", f"/user-tasks/{key}/completion", {"action": "approve"})

    def call(self, method: str, path: str, body: Any) -> Any:
        answer = self.api.request(method, f"/v2{path}", json=body)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def found(
        self, kind: str, intent: str, wanted: Callable[[dict[str, Any]], bool], nth: int = 1
    ) -> dict[str, Any]:
        """The n-th exported record of this kind, once there is one."""

        def hits() -> list[dict[str, Any]]:
            found = [r for r in self.exported(kind) if r["intent"] == intent and wanted(r)]
            return found[nth - 1 :]

        return until(hits)[0]

    def exported(self, kind: str) -> list[dict[str, Any]]:
        """The exported records of a kind so far."""
        told = f'"valueType":"{kind}"'.encode()
        lines = self.camunda.exported.read_bytes().split(b"\n")[:-1]
        return [json.loads(line) for line in lines if told in line]
