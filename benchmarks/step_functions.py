"""Recorded executions of Step Functions: orders with a retry, branches, a map and an approval."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.decoding import Recorded
from ingest.sources.step_functions import StepFunctions
from ingest.step_functions.lines import event_line, line

MACHINE = "arn:aws:states:eu-west-1:123456789012:execution:orders"
_LAMBDA = {"resourceType": "lambda", "resource": "invoke"}
_TOKEN = {"resourceType": "sqs", "resource": "sendMessage.waitForTaskToken"}
_FAILED = {**_LAMBDA, "error": "Lambda.TooManyRequestsException", "cause": "Rate exceeded"}

# Previous event, type, name and content of the details.
HISTORY: tuple[tuple[int, str, str, Mapping[str, object]], ...] = (
    (0, "ExecutionStarted", "executionStarted", {"roleArn": "arn:aws:iam::123456789012:role/s"}),
    (0, "PassStateEntered", "stateEntered", {"name": "Prepare"}),
    (2, "PassStateExited", "stateExited", {"name": "Prepare"}),
    (3, "TaskStateEntered", "stateEntered", {"name": "Charge"}),
    (4, "TaskScheduled", "taskScheduled", {**_LAMBDA, "region": "eu-west-1", "parameters": "{}"}),
    (5, "TaskStarted", "taskStarted", _LAMBDA),
    (6, "TaskFailed", "taskFailed", _FAILED),
    (7, "TaskScheduled", "taskScheduled", {**_LAMBDA, "region": "eu-west-1", "parameters": "{}"}),
    (8, "TaskStarted", "taskStarted", _LAMBDA),
    (9, "TaskSucceeded", "taskSucceeded", _LAMBDA),
    (10, "TaskStateExited", "stateExited", {"name": "Charge"}),
    (11, "ParallelStateEntered", "stateEntered", {"name": "Work"}),
    (12, "ParallelStateStarted", "", {}),
    (13, "PassStateEntered", "stateEntered", {"name": "Pack"}),
    (13, "PassStateEntered", "stateEntered", {"name": "Label"}),
    (14, "PassStateExited", "stateExited", {"name": "Pack"}),
    (15, "PassStateExited", "stateExited", {"name": "Label"}),
    (17, "ParallelStateSucceeded", "", {}),
    (17, "ParallelStateExited", "stateExited", {"name": "Work"}),
    (19, "MapStateEntered", "stateEntered", {"name": "Lines"}),
    (20, "MapStateStarted", "mapStateStarted", {"length": 2}),
    (21, "MapIterationStarted", "mapIterationStarted", {"name": "Lines", "index": 0}),
    (22, "PassStateEntered", "stateEntered", {"name": "Line"}),
    (23, "PassStateExited", "stateExited", {"name": "Line"}),
    (24, "MapIterationSucceeded", "mapIterationSucceeded", {"name": "Lines", "index": 0}),
    (24, "MapIterationStarted", "mapIterationStarted", {"name": "Lines", "index": 1}),
    (26, "PassStateEntered", "stateEntered", {"name": "Line"}),
    (27, "PassStateExited", "stateExited", {"name": "Line"}),
    (28, "MapIterationSucceeded", "mapIterationSucceeded", {"name": "Lines", "index": 1}),
    (29, "MapStateSucceeded", "", {}),
    (29, "MapStateExited", "stateExited", {"name": "Lines"}),
    (31, "TaskStateEntered", "stateEntered", {"name": "Approve"}),
    (32, "TaskScheduled", "taskScheduled", {**_TOKEN, "region": "eu-west-1", "parameters": "{}"}),
    (33, "TaskStarted", "taskStarted", _TOKEN),
    (34, "TaskSubmitted", "taskSubmitted", _TOKEN),
    (35, "TaskSucceeded", "taskSucceeded", _TOKEN),
    (36, "TaskStateExited", "stateExited", {"name": "Approve"}),
    (37, "ExecutionSucceeded", "", {}),
)


def recorded(events: int) -> Recorded:
    """Executions with at least so many events after decoding."""
    lines = []
    for number in range(events // 25 + 1):
        execution = f"{MACHINE}:order-{number}"
        item = {"name": f"order-{number}", "status": "SUCCEEDED", "revisionId": "7"}
        lines.append(line(kind="execution", execution=execution, item=item))
        for place, (before, kind, name, details) in enumerate(HISTORY, start=1):
            event = {
                "timestamp": 1_790_000_000 + number + place / 10,
                "type": kind,
                "id": place,
                "previousEventId": before,
            } | ({f"{name}EventDetails": details} if name else {})
            lines.append(event_line(execution, event))
    return Recorded(b"\n".join(lines), StepFunctions().decode)
