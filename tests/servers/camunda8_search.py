"""What Camunda 8.9 would answer to searches, kept up to date from what a real broker exports.

Maven Central has no Camunda with searches. The engine is real: the items are made of its exported
records alone, as Camunda's own exporters make them (a row per job with its last state, and so on).
`camunda8_contract.py` holds requests and answers against Camunda's own client.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

Item = dict[str, Any]
Names = dict[int, dict[str, str | None]]
Answer = tuple[int, bytes]


def _no_fault(_path: str, _nth: int) -> Answer | None:
    return None


@dataclass
class Search:
    """A search interface over exported records."""

    exported: Path
    address: str = ""
    version: str = "8.9.0"
    asked: list[tuple[str, Any, Any]] = field(default_factory=list)
    """Path, body and answer of each request, in order."""
    fault: Callable[[str, int], Answer | None] = _no_fault
    """What is answered instead, given the path and how many requests there were before."""
    size: int = -1
    made: dict[str, list[Item]] = field(default_factory=dict)

    def items(self) -> dict[str, list[Item]]:
        """Everything, by the name of its search; made anew when more was exported."""
        size = self.exported.stat().st_size
        if self.size != size:
            self.size, self.made = size, _items(records(self.exported))
        return self.made

    def answer(self, path: str, body: Any) -> Any:
        """The answer to a request; null when there is nothing at that path."""
        if path == "/v2/topology":
            return {"gatewayVersion": self.version, "brokers": []}
        parts = path.strip("/").split("/")
        items = self.items()
        if parts[1] == "process-definitions" and parts[-1] == "xml":
            [found] = [
                d for d in items["process-definitions"] if d["processDefinitionKey"] == parts[2]
            ]
            return base64.b64decode(found["resource"])
        if parts[-1] != "search" or parts[1] not in items:
            return None
        hits = [item for item in items[parts[1]] if _meets(item, body.get("filter", {}))]
        for sort in reversed(body.get("sort", [])):
            hits.sort(
                key=lambda item: str(item[sort["field"]]), reverse=sort.get("order") == "DESC"
            )
        page = body.get("page", {})
        first = int(base64.b64decode(page["after"])) if "after" in page else 0
        chosen = hits[first : first + page.get("limit", 100)]
        end = base64.b64encode(str(first + len(chosen)).encode()).decode() if chosen else None
        shown = [{key: item[key] for key in item if key != "resource"} for item in chosen]
        told = {"totalItems": len(hits), "hasMoreTotalItems": False, "startCursor": None}
        return {"items": shown, "page": {**told, "endCursor": end}}


@contextmanager
def searchable(exported: Path) -> Iterator[Search]:
    """A search interface over a file of exported records, on a free port."""
    search = Search(exported)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def reply(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            status, content = search.fault(self.path, len(search.asked)) or self._found(body)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _found(self, body: Any) -> Answer:
            found = search.answer(self.path, body)
            if isinstance(found, bytes):
                return 200, found
            search.asked.append((self.path, body, found))
            return (404, b"{}") if found is None else (200, json.dumps(found).encode())

        do_GET = do_POST = reply

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    search.address = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield search
    finally:
        server.shutdown()
        server.server_close()


def records(exported: Path) -> list[Item]:
    """The exported records in the order of each partition."""
    lines = exported.read_bytes().split(b"\n")[:-1]  # the last one may still be written
    found = [json.loads(line) for line in lines if b'"valueType"' in line]
    return sorted(found, key=lambda record: (record["partitionId"], record["position"]))


def _items(exported: list[Item]) -> dict[str, list[Item]]:
    found: dict[str, dict[Any, Item]] = {name: {} for name in _MAKERS}
    names = _names(exported)
    for record in exported:
        for name, make in _MAKERS.items():
            make(found[name], record, names)
    return {name: list(items.values()) for name, items in found.items()}


def _meets(item: Item, wanted: Item) -> bool:
    either = wanted.get("$or")
    if either is not None and not any(_meets(item, one) for one in either):
        return False
    return all(_is(item.get(key), value) for key, value in wanted.items() if key != "$or")


def _is(value: Any, wanted: Any) -> bool:
    if not isinstance(wanted, dict):
        return bool(value == wanted)
    if "$exists" in wanted:
        return (value is not None) is bool(wanted["$exists"])
    if "$in" in wanted:
        return value in wanted["$in"]
    return value is not None and bool(value >= wanted["$gte"])


def _at(record: Item) -> str:
    at = datetime.fromtimestamp(record["timestamp"] / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _key(value: Any) -> str | None:
    return str(value) if value and value > 0 else None


def _definition(items: dict[Any, Item], record: Item, _: Names) -> None:
    if record["valueType"] == "PROCESS" and record["intent"] == "CREATED":
        value = record["value"]
        items.setdefault(
            value["processDefinitionKey"],
            {
                "name": None,
                "resourceName": value["resourceName"],
                "version": value["version"],
                "versionTag": value["versionTag"] or None,
                "processDefinitionId": value["bpmnProcessId"],
                "tenantId": value["tenantId"],
                "processDefinitionKey": str(value["processDefinitionKey"]),
                "hasStartForm": False,
                "state": "ACTIVE",
                "resource": value["resource"],
            },
        )


def _of_run(record: Item) -> Item:
    value = record["value"]
    return {
        "processDefinitionId": value["bpmnProcessId"],
        "processDefinitionKey": str(value["processDefinitionKey"]),
        "processInstanceKey": str(value["processInstanceKey"]),
        "rootProcessInstanceKey": None,
        "tenantId": value["tenantId"],
    }


def _run(items: dict[Any, Item], record: Item, _: Names) -> None:
    value = record["value"]
    if record["valueType"] != "PROCESS_INSTANCE" or value["bpmnElementType"] != "PROCESS":
        return
    if record["intent"] == "ELEMENT_ACTIVATING":
        items[record["key"]] = {
            **_of_run(record),
            "processDefinitionName": None,
            "processDefinitionVersion": value["version"],
            "processDefinitionVersionTag": None,
            "startDate": _at(record),
            "endDate": None,
            "state": "ACTIVE",
            "suspendedDate": None,
            "hasIncident": False,
            "parentProcessInstanceKey": _key(value["parentProcessInstanceKey"]),
            "parentElementInstanceKey": _key(value["parentElementInstanceKey"]),
            "tags": [],
            "businessId": None,
        }
    run = items[record["key"]]
    if record["intent"] in _ENDED:
        run |= {"state": _ENDED[record["intent"]], "endDate": _at(record)}
    if record["intent"] == "ELEMENT_MIGRATED":
        run |= {**_of_run(record), "processDefinitionVersion": value["version"]}


_ENDED = {"ELEMENT_COMPLETED": "COMPLETED", "ELEMENT_TERMINATED": "TERMINATED"}


def _element(items: dict[Any, Item], record: Item, names: Names) -> None:
    value = record["value"]
    if record["valueType"] != "PROCESS_INSTANCE" or value["bpmnElementType"] in _NO_ELEMENTS:
        return
    named = names.get(value["processDefinitionKey"], {})
    told = {
        **_of_run(record),
        "elementId": value["elementId"],
        "elementName": named.get(value["elementId"]) or value["elementId"],
    }
    if record["intent"] == "ELEMENT_ACTIVATING":
        items[record["key"]] = {
            **told,
            "type": value["bpmnElementType"],
            "state": "ACTIVE",
            "startDate": _at(record),
            "endDate": None,
            "hasIncident": False,
            "elementInstanceKey": str(record["key"]),
            "incidentKey": None,
        }
    if record["intent"] in _ENDED:
        items[record["key"]] |= {"state": _ENDED[record["intent"]], "endDate": _at(record)}
    if record["intent"] == "ELEMENT_MIGRATED":
        items[record["key"]] |= told


def _job(items: dict[Any, Item], record: Item, _: Names) -> None:
    value = record["value"]
    if record["valueType"] != "JOB":
        return
    before = items.get(record["key"], {"creationTime": _at(record)})
    state = "RETRIES_UPDATED" if record["intent"] == "UPDATED" else record["intent"]
    ended = state in ("COMPLETED", "CANCELED", "ERROR_THROWN")
    items[record["key"]] = {
        **_of_run(record),
        "creationTime": before["creationTime"],
        "customHeaders": {},
        "deadline": None,
        "deniedReason": None,
        "elementId": value["elementId"],
        "elementInstanceKey": str(value["elementInstanceKey"]),
        "endTime": _at(record) if ended else None,
        "errorCode": value["errorCode"] or None,
        "errorMessage": value["errorMessage"] or None,
        "hasFailedWithRetriesLeft": state == "FAILED" and value["retries"] > 0,
        "isDenied": None,
        "jobKey": str(record["key"]),
        "kind": value["jobKind"],
        "lastUpdateTime": _at(record),
        "listenerEventType": value["jobListenerEventType"],
        "priority": 0,
        "retries": value["retries"],
        "state": state,
        "type": value["type"],
        "worker": value["worker"],
        "businessId": None,
    }


def _incident(items: dict[Any, Item], record: Item, _: Names) -> None:
    value = record["value"]
    if record["valueType"] != "INCIDENT":
        return
    before = items.get(record["key"], {"creationTime": _at(record)})
    items[record["key"]] = {
        **_of_run(record),
        "creationTime": before["creationTime"],
        "elementId": value["elementId"],
        "elementInstanceKey": str(value["elementInstanceKey"]),
        "errorMessage": value["errorMessage"],
        "errorType": value["errorType"],
        "incidentKey": str(record["key"]),
        "jobKey": _key(value["jobKey"]),
        "state": "RESOLVED" if record["intent"] == "RESOLVED" else "ACTIVE",
    }


def _user_task(items: dict[Any, Item], record: Item, _: Names) -> None:
    value = record["value"]
    if record["valueType"] == "USER_TASK" and record["intent"] == "CREATED":
        items[record["key"]] = {
            **_of_run(record),
            "name": None,
            "state": "CREATED",
            "assignee": None,
            "elementId": value["elementId"],
            "candidateGroups": value["candidateGroupsList"],
            "candidateUsers": value["candidateUsersList"],
            "creationDate": _at(record),
            "completionDate": None,
            "followUpDate": None,
            "dueDate": None,
            "externalFormReference": None,
            "processDefinitionVersion": value["processDefinitionVersion"],
            "customHeaders": {},
            "userTaskKey": str(record["key"]),
            "elementInstanceKey": str(value["elementInstanceKey"]),
            "processName": None,
            "businessId": None,
            "formKey": None,
            "tags": [],
            "priority": value["priority"],
        }
    if record["valueType"] == "USER_TASK":
        told = {}
        if record["intent"] in ("ASSIGNED", "COMPLETED"):
            told["assignee"] = value["assignee"] or None
        if record["intent"] in ("COMPLETED", "CANCELED"):
            told |= {"state": record["intent"], "completionDate": _at(record)}
        items.get(record["key"], {}).update(told)


def _operation(items: dict[Any, Item], record: Item, _: Names) -> None:
    """What somebody did; the broker under test asks nobody for a name."""
    kind, value = record["valueType"], record["value"]
    operation = _OPERATIONS.get((kind, record["intent"]))
    if operation is None:
        return
    key = str(record["partitionId"] * 10**12 + record["position"])
    items[key] = {
        **dict.fromkeys(_AUDIT_NULLS),
        "auditLogKey": key,
        "entityKey": str(record["key"]),
        "entityType": kind.removesuffix("_MODIFICATION").removesuffix("_MIGRATION"),
        "operationType": operation,
        "timestamp": _at(record),
        "actorType": "ANONYMOUS",
        "result": "SUCCESS",
        "category": "USER_TASKS" if kind == "USER_TASK" else "DEPLOYED_RESOURCES",
        "processInstanceKey": str(value["processInstanceKey"]),
        "elementInstanceKey": _key(value.get("elementInstanceKey")),
        "jobKey": str(record["key"]) if kind == "JOB" else None,
        "userTaskKey": str(record["key"]) if kind == "USER_TASK" else None,
    }


_OPERATIONS = {
    ("USER_TASK", "ASSIGNED"): "ASSIGN",
    ("USER_TASK", "COMPLETED"): "COMPLETE",
    ("INCIDENT", "RESOLVED"): "RESOLVE",
    ("JOB", "UPDATED"): "UPDATE",
    ("PROCESS_INSTANCE_MODIFICATION", "MODIFIED"): "MODIFY",
    ("PROCESS_INSTANCE_MIGRATION", "MIGRATED"): "MIGRATE",
}

_AUDIT_NULLS = (
    "batchOperationKey", "batchOperationType", "actorId", "agentElementId", "tenantId",
    "processDefinitionId", "processDefinitionKey", "rootProcessInstanceKey",
    "decisionRequirementsId", "decisionRequirementsKey", "decisionDefinitionId",
    "decisionDefinitionKey", "decisionEvaluationKey", "deploymentKey", "formKey", "resourceKey",
    "relatedEntityKey", "relatedEntityType", "entityDescription", "inboundChannelType",
    "inboundChannelToolName",
)  # fmt: skip

_NO_ELEMENTS = ("PROCESS", "SEQUENCE_FLOW")


def _names(exported: list[Item]) -> Names:
    """The names of elements, by the key of their definition and their own id."""
    found = {}
    for record in exported:
        if record["valueType"] == "PROCESS":
            model = ElementTree.fromstring(base64.b64decode(record["value"]["resource"]))
            found[record["value"]["processDefinitionKey"]] = {
                str(element.get("id")): element.get("name") for element in model.iter()
            }
    return found


_MAKERS: dict[str, Callable[[dict[Any, Item], Item, Names], None]] = {
    "process-definitions": _definition,
    "process-instances": _run,
    "element-instances": _element,
    "jobs": _job,
    "incidents": _incident,
    "user-tasks": _user_task,
    "audit-logs": _operation,
}
