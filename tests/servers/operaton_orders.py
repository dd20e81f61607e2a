"""Known work for Operaton and Camunda 7: orders that succeed, fail, wait and are mended."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.servers.operaton import Served
from tests.servers.waiting import LIMIT, until

READER = ("reader", "s3cret of reader")
"""May read histories and models, nothing else."""
CLERK = ("mary", "mary's own")
RIGHTS = {
    6: ("READ", "READ_HISTORY"),  # process definitions
    9: ("READ",),  # deployments
}
"""The smallest rights that READER needs, by the engine's number of the kind of resource."""

ORDER = """<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:camunda="http://camunda.org/schema/1.0/bpmn"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" targetNamespace="procession">
  <error id="no-stock" errorCode="no-stock"/>
  <process id="order" name="Order" isExecutable="true">
    <startEvent id="received" name="Order received"/>
    <sequenceFlow id="f1" sourceRef="received" targetRef="stock"/>
    <serviceTask id="stock" name="Check stock" camunda:type="external" camunda:topic="stock"/>
    <boundaryEvent id="sold-out" name="Nothing left" attachedToRef="stock">
      <errorEventDefinition errorRef="no-stock"/>
    </boundaryEvent>
    <sequenceFlow id="f2" sourceRef="sold-out" targetRef="sold-out-end"/>
    <endEvent id="sold-out-end" name="Sold out"/>
    <sequenceFlow id="f3" sourceRef="stock" targetRef="choice"/>
    <exclusiveGateway id="choice" name="Large?"/>
    <sequenceFlow id="f4" sourceRef="choice" targetRef="approve"/>
    <userTask id="approve" name="Approve order" camunda:candidateGroups="clerks"/>
    <boundaryEvent id="late" name="Approval is late" attachedToRef="approve">
      <timerEventDefinition>
        <timeDuration xsi:type="tFormalExpression">${patience}</timeDuration>
      </timerEventDefinition>
    </boundaryEvent>
    <sequenceFlow id="f5" sourceRef="late" targetRef="expired"/>
    <endEvent id="expired" name="Order expired"/>
    <sequenceFlow id="f6" sourceRef="approve" targetRef="handling"/>
    <subProcess id="handling" name="Handling">
      <startEvent id="handling-start"/>
      <sequenceFlow id="h1" sourceRef="handling-start" targetRef="charge"/>
      <serviceTask id="charge" name="Charge card" camunda:asyncBefore="true"
          camunda:expression="${paying ? 'paid' : unknownCard.number}">
        <extensionElements>
          <camunda:failedJobRetryTimeCycle>R3/PT0S</camunda:failedJobRetryTimeCycle>
        </extensionElements>
      </serviceTask>
      <sequenceFlow id="h2" sourceRef="charge" targetRef="handling-end"/>
      <endEvent id="handling-end" name="Paid"/>
    </subProcess>
    <sequenceFlow id="f7" sourceRef="handling" targetRef="ship"/>
    <callActivity id="ship" name="Ship" calledElement="shipment"/>
    <sequenceFlow id="f8" sourceRef="ship" targetRef="done"/>
    <endEvent id="done" name="Order done"/>
  </process>
</definitions>
"""
SECOND_ORDER = ORDER.replace('name="Approve order"', 'name="Approve order twice ä"')
"""The same process, deployed again with another name for an activity."""
SHIPMENT = """<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:camunda="http://camunda.org/schema/1.0/bpmn" targetNamespace="procession">
  <process id="shipment" name="Shipment" isExecutable="true">
    <startEvent id="ready"/>
    <sequenceFlow id="s1" sourceRef="ready" targetRef="courier"/>
    <serviceTask id="courier" name="Book courier" camunda:expression="${'booked'}"/>
    <sequenceFlow id="s2" sourceRef="courier" targetRef="booked"/>
    <endEvent id="booked"/>
  </process>
</definitions>
"""


@dataclass
class Orders:
    """Somebody who works with the engine over its interface."""

    served: Served
    cases: dict[str, str] = field(default_factory=dict)
    """Ids of process instances by the business key of the order."""

    def __post_init__(self) -> None:
        self.api = self._as(self.served.user, self.served.password)

    def _as(self, user: str, password: str) -> httpx.Client:
        return httpx.Client(base_url=self.served.address, auth=(user, password), timeout=LIMIT)

    def close(self) -> None:
        """End the connections."""
        self.api.close()

    def post(self, path: str, body: Any, *, by: tuple[str, str] | None = None) -> Any:
        """The answer to a POST, by the administrator or somebody else."""
        if by:
            with self._as(*by) as api:
                return _answer(api.post(path, json=body))
        return _answer(self.api.post(path, json=body))

    def get(self, path: str, **params: Any) -> Any:
        """The answer to a GET by the administrator."""
        return _answer(self.api.get(path, params=params))

    def people(self) -> None:
        """The clerk, who may do everything, and the reader, who may read."""
        for user, password in (CLERK, READER):
            profile = {"id": user, "firstName": user, "lastName": user}
            self.post("/user/create", {"profile": profile, "credentials": {"password": password}})
        name = CLERK[0]
        admin = f"/group/{self.served.engine.name}-admin/members/{name}"
        _answer(self.api.put(admin))
        for kind, permissions in RIGHTS.items():
            right = {"type": 1, "userId": READER[0], "resourceType": kind, "resourceId": "*"}
            self.post("/authorization/create", right | {"permissions": list(permissions)})

    def deploy(self, text: str, name: str) -> None:
        """Make a version of a process known."""
        files = {"data": (f"{name}.bpmn", text.encode(), "application/octet-stream")}
        _answer(self.api.post("/deployment/create", data={"deployment-name": name}, files=files))

    def order(self, key: str, *, paying: bool = True, patience: str = "PT1H") -> str:
        """Start an order; the id of its process instance."""
        variables = {"paying": {"value": paying}, "patience": {"value": patience}}
        body = {"businessKey": key, "variables": variables}
        found = str(self.post("/process-definition/key/order/start", body)["id"])
        self.cases[key] = found
        return found

    def check_stock(self, key: str, *, failures: int = 0, error: str | None = None) -> None:
        """The worker: some failed attempts, then a success or an error of the business."""
        for left in range(failures, 0, -1):
            task = self._locked(key)
            body = {"workerId": "worker-1", "errorMessage": f"no answer {left}", "retries": left}
            body |= {"retryTimeout": 0, "errorDetails": "java.net.ConnectException: refused"}
            self.post(f"/external-task/{task}/failure", body)
        task = self._locked(key)
        if error:
            body = {"workerId": "worker-1", "errorCode": error}
            self.post(f"/external-task/{task}/bpmnError", body)
        else:
            self.post(f"/external-task/{task}/complete", {"workerId": "worker-1"})

    def _locked(self, key: str) -> str:
        topic = {"topicName": "stock", "lockDuration": 60000, "businessKey": key}
        body = {"workerId": "worker-1", "maxTasks": 1, "topics": [topic]}
        return str(until(lambda: self.post("/external-task/fetchAndLock", body))[0]["id"])

    def approve(self, key: str) -> None:
        """The clerk takes the order and approves it."""
        (task,) = self.get("/task", processInstanceId=self.cases[key], maxResults=5)
        self.post(f"/task/{task['id']}/claim", {"userId": CLERK[0]}, by=CLERK)
        time.sleep(0.01)
        self.post(f"/task/{task['id']}/complete", {}, by=CLERK)

    def mend(self, key: str) -> None:
        """After the last attempt failed, the clerk gives the order a good card and a new try."""
        case = self.cases[key]
        asked = {"processInstanceId": case, "noRetriesLeft": True, "maxResults": 5}
        (job,) = until(lambda: self.get("/job", **asked))
        path = f"/process-instance/{case}/variables/paying"
        _answer(self.api.put(path, json={"value": True, "type": "Boolean"}))
        with self._as(*CLERK) as api:
            _answer(api.put(f"/job/{job['id']}/retries", json={"retries": 2}))

    def delete(self, key: str) -> None:
        """The clerk removes an order that is running."""
        with self._as(*CLERK) as api:
            _answer(api.delete(f"/process-instance/{self.cases[key]}"))

    def check_again(self, key: str) -> None:
        """The clerk sends an order from its approval back to the check."""
        instructions = [
            {"type": "startBeforeActivity", "activityId": "stock"},
            {"type": "cancel", "activityId": "approve"},
        ]
        body = {"instructions": instructions, "annotation": "stock was wrong"}
        self.post(f"/process-instance/{self.cases[key]}/modification", body, by=CLERK)

    def wave_through(self, key: str) -> None:
        """The clerk moves an order that waits for its approval on without one."""
        instructions = [
            {"type": "startBeforeActivity", "activityId": "handling"},
            {"type": "cancel", "activityId": "approve"},
        ]
        path = f"/process-instance/{self.cases[key]}/modification"
        self.post(path, {"instructions": instructions}, by=CLERK)

    def restart(self, key: str) -> None:
        """The clerk begins an order that was removed again, before its approval."""
        case = self.cases[key]
        definition = self.get(f"/history/process-instance/{case}")["processDefinitionId"]
        instructions = [{"type": "startBeforeActivity", "activityId": "approve"}]
        body = {"instructions": instructions, "processInstanceIds": [case]}
        self.post(f"/process-definition/{definition}/restart", body, by=CLERK)

    def known_work(self) -> None:
        """Ten orders, of which three go on; four shipments; three versions of two processes."""
        self.people()
        self.deploy(SHIPMENT, "shipment")
        self.deploy(ORDER, "order")
        self.through("happy")
        self.through("flaky", failures=2)
        self.order("broke", paying=False)
        self.check_stock("broke")
        self.approve("broke")
        self.mend("broke")
        self.ended("broke")
        self.order("late", patience="PT1S")
        self.check_stock("late")
        self.order("gone")
        self.check_stock("gone", error="no-stock")
        self.order("dropped")
        self.check_stock("dropped")
        self.delete("dropped")
        self.order("open")
        self.check_stock("open")
        self.deploy(SECOND_ORDER, "order-2")
        self.through("second")
        self.order("moved")
        self.check_stock("moved")
        self.check_again("moved")
        self.restart("dropped")
        self.ended("late")

    def through(self, key: str, *, failures: int = 0) -> None:
        """An order from its start to its end."""
        self.order(key)
        self.check_stock(key, failures=failures)
        self.approve(key)
        self.ended(key)

    def ended(self, key: str) -> None:
        """Wait until an order is no longer running."""
        path = f"/history/process-instance/{self.cases[key]}"
        until(lambda: self.get(path)["endTime"])


def _answer(response: httpx.Response) -> Any:
    assert response.status_code < 300, f"{response.request.url}: {response.text[:500]}"
    return response.json() if response.content else None
