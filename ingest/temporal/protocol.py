"""Temporal's history events in the messages of its protocol."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache
from operator import attrgetter
from typing import Any

import polars as pl

from ingest.temporal.chains import Began, case_id
from ingest.temporal.fields import FIELDS
from ingest.temporal.rows import (
    DEPLOYED,
    LOCAL_ACTIVITIES,
    OWN_NAMES,
    TELLING,
    Failure,
    Rows,
    Writing,
    in_words,
    prefix_of,
    timeout_type,
)

_PLAIN = b"json/"


class Protocol(Writing):
    """Events as protocol buffers."""

    instant = pl.from_epoch("occurred", time_unit="us")

    def getter(self, paths: Iterable[str]) -> Callable[[Any], tuple[Any, ...]]:
        """A field that is not set gives its default, the empty text or zero."""
        wanted = list(paths)
        if not wanted:
            return lambda _attributes: ()
        if len(wanted) != 1:
            return attrgetter(*wanted)
        get = attrgetter(wanted[0])
        return lambda attributes: (get(attributes),)

    def failure(self, failure: Any) -> Failure:
        """The innermost cause of a `Failure`."""
        if not failure.ByteSize():
            return None, None, None, None
        outer = failure
        while failure.HasField("cause"):
            failure = failure.cause
        info = failure.WhichOneof("failure_info") or ""
        kind = info.replace("_", "")
        said = ""
        if info == "application_failure_info":
            said = failure.application_failure_info.type
        elif info == "timeout_failure_info":
            said = _timeout(failure.timeout_failure_info.timeout_type)
        delay = outer.application_failure_info.next_retry_delay
        timed_out = outer.WhichOneof("failure_info") == "timeout_failure_info"
        return (
            "timeout" if timed_out else kind,
            said or OWN_NAMES.get(kind),
            failure.message or outer.message or None,
            self.seconds(delay) or None,
        )

    def seconds(self, duration: Any) -> float | None:
        """Null for zero, which means that it is not set."""
        return duration.seconds + duration.nanos / 1e9 or None

    def cause(self, cause: Any, of: str) -> str | None:
        """Null where none is given."""
        from temporalio.api.enums import v1

        return in_words(getattr(v1, of).Name(cause), prefix_of(of)) if cause else None

    def plain(self, details: Any) -> dict[str, Any]:
        """Leaves out what is encrypted or binary."""
        return {
            name: plain_payload(held.payloads[0])
            for name, held in details.items()
            if name in TELLING and held.payloads
        }


def plain_payload(payload: Any) -> Any:
    """The value in a payload that is plain JSON; null for others."""
    if not payload.metadata.get("encoding", b"").startswith(_PLAIN):
        return None
    try:
        return json.loads(payload.data)
    except ValueError:
        return None


@cache
def _timeout(number: int) -> str:
    from temporalio.api.enums.v1 import TimeoutType

    return timeout_type(TimeoutType.Name(TimeoutType.ValueType(number)))


class Types:
    """Names of the types of events, and which field holds the attributes of each."""

    def __init__(self) -> None:
        from temporalio.api.enums.v1 import EventType

        self.names: dict[int, str] = {
            number: name.removeprefix("EVENT_TYPE_") for name, number in EventType.items()
        }
        self.attributes = {
            number: attrgetter(f"{name.lower()}_event_attributes")
            for number, name in self.names.items()
        }


def kinds(events: Iterable[Any], types: Types) -> Iterator[str]:
    """The type of each event; a marker of a local activity is one of its own."""
    for event in events:
        name = types.names.get(event.event_type) or f"type {event.event_type}"
        marker = name == "MARKER_RECORDED" and event.marker_recorded_event_attributes.marker_name
        yield "LOCAL_ACTIVITY" if marker in LOCAL_ACTIVITIES else name


def add_events(rows: Rows, unit: int, events: Iterable[Any], types: Types) -> None:
    """Gather the events of one run."""
    gathered, getters = rows.gathered, rows.getters
    deployed: tuple[Any, ...] = ()
    for event in events:
        number = event.event_type
        name = types.names.get(number)
        if name not in FIELDS:
            continue
        given = getters[name](types.attributes[number](event))
        if name == DEPLOYED:
            if given == deployed:
                continue
            deployed = given
        at = event.event_time
        label = ""
        if event.HasField("user_metadata"):
            label = plain_payload(event.user_metadata.summary)
        gathered[name].append(
            (
                unit,
                event.event_id,
                at.seconds * 1_000_000 + at.nanos // 1000,
                label,
                event.principal.name if event.HasField("principal") else "",
                *given,
            )
        )


def packed(message: Any) -> str:
    """A message as text that stands in JSON."""
    return base64.b64encode(message.SerializeToString()).decode()


def began(events: Sequence[Any], said: dict[str, Any]) -> Began:
    """What is known of the run that these events are the history of; `said` by the server."""
    first = events[0].workflow_execution_started_event_attributes
    namespace = said["namespace"]
    parent, root = first.parent_workflow_execution, first.root_workflow_execution
    firsts = said.get("first_runs", {})

    def chain(execution: Any, of: str) -> str | None:
        if not execution.workflow_id:
            return None
        run = firsts.get(execution.run_id, execution.run_id)
        return case_id(of or namespace, execution.workflow_id, run)

    searched = first.search_attributes.indexed_fields
    return Began(
        namespace=namespace,
        workflow_id=said["workflow_id"],
        workflow_type=first.workflow_type.name,
        first_run=first.first_execution_run_id or first.original_execution_run_id,
        run=said["run_id"],
        parent=chain(parent, first.parent_workflow_namespace),
        root=chain(root, ""),
        attributes={name: plain_payload(payload) for name, payload in searched.items()},
    )


def pending_rows(unit: int, told: Any) -> Iterator[tuple[Any, ...]]:
    """Rows of `PENDING`: what a description of a workflow says of activities not ended."""
    protocol = Protocol()
    for activity in told.pending_activities:
        runs = activity.state != 1 and activity.HasField("last_started_time")
        kind, error_type, message, _ = protocol.failure(activity.last_failure)
        yield (
            unit,
            activity.activity_id,
            max(activity.attempt, 1),
            _instant(activity, "last_started_time") if runs else None,
            _instant(activity, "last_attempt_complete_time"),
            activity.last_worker_identity if runs else None,
            activity.last_worker_identity if not runs else None,
            kind,
            error_type,
            message,
        )


def _instant(message: Any, name: str) -> datetime | None:
    if not message.HasField(name):
        return None
    at = getattr(message, name)
    return datetime(1970, 1, 1) + timedelta(microseconds=at.seconds * 1_000_000 + at.nanos // 1000)
