"""The fields of Temporal's history events that matter, however the events are written."""

from __future__ import annotations

SPANS: dict[str, tuple[str, str]] = {
    "WORKFLOW_EXECUTION_STARTED": ("workflow", "begin"),
    "WORKFLOW_EXECUTION_COMPLETED": ("workflow", "completed"),
    "WORKFLOW_EXECUTION_FAILED": ("workflow", "failed"),
    "WORKFLOW_EXECUTION_TIMED_OUT": ("workflow", "timed out"),
    "WORKFLOW_EXECUTION_CANCELED": ("workflow", "cancelled"),
    "WORKFLOW_EXECUTION_TERMINATED": ("workflow", "terminated"),
    "WORKFLOW_TASK_FAILED": ("task", "failed"),
    "WORKFLOW_TASK_TIMED_OUT": ("task", "timed out"),
    "WORKFLOW_EXECUTION_CANCEL_REQUESTED": ("order", "cancel requested"),
    "WORKFLOW_EXECUTION_PAUSED": ("order", "paused"),
    "WORKFLOW_EXECUTION_UNPAUSED": ("order", "unpaused"),
    "WORKFLOW_EXECUTION_SIGNALED": ("signal", "complete"),
    "ACTIVITY_TASK_SCHEDULED": ("activity", "scheduled"),
    "ACTIVITY_TASK_STARTED": ("activity", "start"),
    "ACTIVITY_TASK_COMPLETED": ("activity", "complete"),
    "ACTIVITY_TASK_FAILED": ("activity", "fail"),
    "ACTIVITY_TASK_TIMED_OUT": ("activity", "timeout"),
    "ACTIVITY_TASK_CANCELED": ("activity", "cancel"),
    "TIMER_STARTED": ("timer", "start"),
    "TIMER_FIRED": ("timer", "complete"),
    "TIMER_CANCELED": ("timer", "cancel"),
    "START_CHILD_WORKFLOW_EXECUTION_INITIATED": ("child", "scheduled"),
    "START_CHILD_WORKFLOW_EXECUTION_FAILED": ("child", "fail"),
    "CHILD_WORKFLOW_EXECUTION_STARTED": ("child", "start"),
    "CHILD_WORKFLOW_EXECUTION_COMPLETED": ("child", "complete"),
    "CHILD_WORKFLOW_EXECUTION_FAILED": ("child", "fail"),
    "CHILD_WORKFLOW_EXECUTION_CANCELED": ("child", "cancel"),
    "CHILD_WORKFLOW_EXECUTION_TIMED_OUT": ("child", "timeout"),
    "CHILD_WORKFLOW_EXECUTION_TERMINATED": ("child", "cancel"),
    "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED": ("send", "start"),
    "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED": ("send", "fail"),
    "EXTERNAL_WORKFLOW_EXECUTION_SIGNALED": ("send", "complete"),
    "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED": ("stop", "start"),
    "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED": ("stop", "fail"),
    "EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED": ("stop", "complete"),
    "WORKFLOW_EXECUTION_UPDATE_ADMITTED": ("update", "scheduled"),
    "WORKFLOW_EXECUTION_UPDATE_ACCEPTED": ("update", "start"),
    "WORKFLOW_EXECUTION_UPDATE_REJECTED": ("update", "fail"),
    "WORKFLOW_EXECUTION_UPDATE_COMPLETED": ("update", "complete"),
    "NEXUS_OPERATION_SCHEDULED": ("nexus", "scheduled"),
    "NEXUS_OPERATION_STARTED": ("nexus", "start"),
    "NEXUS_OPERATION_COMPLETED": ("nexus", "complete"),
    "NEXUS_OPERATION_FAILED": ("nexus", "fail"),
    "NEXUS_OPERATION_CANCELED": ("nexus", "cancel"),
    "NEXUS_OPERATION_TIMED_OUT": ("nexus", "timeout"),
    "LOCAL_ACTIVITY": ("local", "complete"),
}
"""What an event of this type is about, and which end of it. Others show no step of the process."""

SILENT = {
    "WORKFLOW_TASK_SCHEDULED",
    "WORKFLOW_TASK_STARTED",
    "WORKFLOW_TASK_COMPLETED",
    "WORKFLOW_EXECUTION_CONTINUED_AS_NEW",
    "ACTIVITY_TASK_CANCEL_REQUESTED",
    "NEXUS_OPERATION_CANCEL_REQUESTED",
    "NEXUS_OPERATION_CANCEL_REQUEST_COMPLETED",
    "NEXUS_OPERATION_CANCEL_REQUEST_FAILED",
    "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES",
    "WORKFLOW_PROPERTIES_MODIFIED",
    "WORKFLOW_PROPERTIES_MODIFIED_EXTERNALLY",
    "ACTIVITY_PROPERTIES_MODIFIED_EXTERNALLY",
    "WORKFLOW_EXECUTION_OPTIONS_UPDATED",
    "WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED",
    "MARKER_RECORDED",
}
"""Known types that are bookkeeping of the engine or shown by another event."""

_CHILD = {"ref": "initiated_event_id", "name": "workflow_type.name"}
_ENDED_ACTIVITY = {"ref": "scheduled_event_id", "resource": "identity"}
_FAILING = {"failure": "failure"}

FIELDS: dict[str, dict[str, str]] = {
    "WORKFLOW_EXECUTION_STARTED": {
        "name": "workflow_type.name",
        "resource": "identity",
        "attempt": "attempt",
        "cause": "initiator",
        "other_run": "continued_execution_run_id",
        "queue": "task_queue.name",
    },
    "WORKFLOW_EXECUTION_COMPLETED": {"other_run": "new_execution_run_id"},
    "WORKFLOW_EXECUTION_FAILED": {"other_run": "new_execution_run_id", **_FAILING},
    "WORKFLOW_EXECUTION_TIMED_OUT": {"other_run": "new_execution_run_id"},
    "WORKFLOW_EXECUTION_CANCELED": {},
    "WORKFLOW_EXECUTION_TERMINATED": {"resource": "identity", "text": "reason"},
    "WORKFLOW_EXECUTION_CONTINUED_AS_NEW": {"other_run": "new_execution_run_id"},
    "WORKFLOW_EXECUTION_CANCEL_REQUESTED": {
        "resource": "identity",
        "text": "cause",
        "other": "external_workflow_execution.workflow_id",
    },
    "WORKFLOW_EXECUTION_PAUSED": {"resource": "identity", "text": "reason"},
    "WORKFLOW_EXECUTION_UNPAUSED": {"resource": "identity", "text": "reason"},
    "WORKFLOW_EXECUTION_SIGNALED": {
        "name": "signal_name",
        "resource": "identity",
        "other": "external_workflow_execution.workflow_id",
    },
    "WORKFLOW_TASK_COMPLETED": {
        "deployment": "deployment_version.deployment_name",
        "build": "deployment_version.build_id",
        "older_deployment": "deployment.series_name",
        "older_build": "deployment.build_id",
        "worker_build": "worker_version.build_id",
        "checksum": "binary_checksum",
    },
    "WORKFLOW_TASK_FAILED": {
        "resource": "identity",
        "cause": "cause",
        "other_run": "base_run_id",
        **_FAILING,
    },
    "WORKFLOW_TASK_TIMED_OUT": {"cause": "timeout_type"},
    "ACTIVITY_TASK_SCHEDULED": {
        "name": "activity_type.name",
        "detail": "activity_id",
        "queue": "task_queue.name",
        "initial": "retry_policy.initial_interval",
        "coefficient": "retry_policy.backoff_coefficient",
        "maximum": "retry_policy.maximum_interval",
    },
    "ACTIVITY_TASK_STARTED": {
        "ref": "scheduled_event_id",
        "resource": "identity",
        "attempt": "attempt",
        "failure": "last_failure",
    },
    "ACTIVITY_TASK_COMPLETED": _ENDED_ACTIVITY,
    "ACTIVITY_TASK_FAILED": _ENDED_ACTIVITY | _FAILING,
    "ACTIVITY_TASK_TIMED_OUT": {"ref": "scheduled_event_id", **_FAILING},
    "ACTIVITY_TASK_CANCELED": _ENDED_ACTIVITY,
    "TIMER_STARTED": {"detail": "timer_id"},
    "TIMER_FIRED": {"ref": "started_event_id", "detail": "timer_id"},
    "TIMER_CANCELED": {"ref": "started_event_id", "detail": "timer_id"},
    "START_CHILD_WORKFLOW_EXECUTION_INITIATED": {
        "name": "workflow_type.name",
        "other": "workflow_id",
    },
    "START_CHILD_WORKFLOW_EXECUTION_FAILED": {**_CHILD, "cause": "cause"},
    "CHILD_WORKFLOW_EXECUTION_STARTED": {
        **_CHILD,
        "other": "workflow_execution.workflow_id",
        "other_run": "workflow_execution.run_id",
    },
    "CHILD_WORKFLOW_EXECUTION_COMPLETED": _CHILD,
    "CHILD_WORKFLOW_EXECUTION_FAILED": _CHILD | _FAILING,
    "CHILD_WORKFLOW_EXECUTION_CANCELED": _CHILD,
    "CHILD_WORKFLOW_EXECUTION_TIMED_OUT": _CHILD,
    "CHILD_WORKFLOW_EXECUTION_TERMINATED": _CHILD,
    "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED": {
        "name": "signal_name",
        "other": "workflow_execution.workflow_id",
    },
    "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED": {"ref": "initiated_event_id", "cause": "cause"},
    "EXTERNAL_WORKFLOW_EXECUTION_SIGNALED": {"ref": "initiated_event_id"},
    "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED": {
        "other": "workflow_execution.workflow_id",
    },
    "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED": {
        "ref": "initiated_event_id",
        "cause": "cause",
    },
    "EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED": {"ref": "initiated_event_id"},
    "WORKFLOW_EXECUTION_UPDATE_ADMITTED": {
        "name": "request.input.name",
        "detail": "request.meta.update_id",
        "resource": "request.meta.identity",
    },
    "WORKFLOW_EXECUTION_UPDATE_ACCEPTED": {
        "name": "accepted_request.input.name",
        "detail": "protocol_instance_id",
        "resource": "accepted_request.meta.identity",
    },
    "WORKFLOW_EXECUTION_UPDATE_REJECTED": {
        "name": "rejected_request.input.name",
        "detail": "protocol_instance_id",
        **_FAILING,
    },
    "WORKFLOW_EXECUTION_UPDATE_COMPLETED": {
        "detail": "meta.update_id",
        "failure": "outcome.failure",
    },
    "NEXUS_OPERATION_SCHEDULED": {
        "name": "service",
        "detail": "operation",
        "other": "endpoint",
    },
    "NEXUS_OPERATION_STARTED": {"ref": "scheduled_event_id"},
    "NEXUS_OPERATION_COMPLETED": {"ref": "scheduled_event_id"},
    "NEXUS_OPERATION_FAILED": {"ref": "scheduled_event_id", **_FAILING},
    "NEXUS_OPERATION_CANCELED": {"ref": "scheduled_event_id", **_FAILING},
    "NEXUS_OPERATION_TIMED_OUT": {"ref": "scheduled_event_id", **_FAILING},
    "MARKER_RECORDED": {"name": "marker_name", "details": "details", **_FAILING},
}
"""Where the fields of a type stand below its attributes, in the spelling of the protocol."""

CAUSES = {
    "WORKFLOW_EXECUTION_STARTED": "ContinueAsNewInitiator",
    "WORKFLOW_TASK_FAILED": "WorkflowTaskFailedCause",
    "WORKFLOW_TASK_TIMED_OUT": "TimeoutType",
    "START_CHILD_WORKFLOW_EXECUTION_FAILED": "StartChildWorkflowExecutionFailedCause",
    "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED": "SignalExternalWorkflowExecutionFailedCause",
    "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED": (
        "CancelExternalWorkflowExecutionFailedCause"
    ),
}
"""The enumeration that a cause is one of."""
