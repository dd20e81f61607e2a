"""Temporal's history events in the JSON of its protocol, as its command line writes them."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
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


class Json(Writing):
    """Events as objects of JSON, in either spelling of the names of types."""

    instant = (
        pl.col("occurred")
        .cast(pl.String())
        .str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="ns", strict=False)
        .dt.cast_time_unit("us")
    )

    def getter(self, paths: Iterable[str]) -> Callable[[Any], tuple[Any, ...]]:
        """A field that is not there gives null."""
        wanted = [[camel(part) for part in path.split(".")] for path in paths]
        if any(len(path) > 2 for path in wanted):
            return lambda attributes: tuple(_deep(attributes, path) for path in wanted)
        firsts = [path[0] for path in wanted]
        seconds = [(at, path[1]) for at, path in enumerate(wanted) if len(path) > 1]

        def get(attributes: Any) -> tuple[Any, ...]:
            found = list(map(attributes.get, firsts))
            for at, second in seconds:
                value = found[at]
                found[at] = value.get(second) if value else None
            return tuple(found)

        return get

    def failure(self, failure: Any) -> Failure:
        """The innermost cause of a `Failure`."""
        if not failure:
            return None, None, None, None
        outer = failure
        while failure.get("cause"):
            failure = failure["cause"]
        info, about = _info(failure)
        said = about.get("type")
        if info == "timeoutfailureinfo":
            said = timeout_type(about.get("timeoutType") or "UNSPECIFIED")
        delay = (outer.get("applicationFailureInfo") or {}).get("nextRetryDelay")
        return (
            "timeout" if _info(outer)[0] == "timeoutfailureinfo" else info,
            said or OWN_NAMES.get(info),
            failure.get("message") or outer.get("message"),
            self.seconds(delay),
        )

    def seconds(self, duration: Any) -> float | None:
        """Null for zero, which means that it is not set."""
        if not isinstance(duration, str) or not duration.endswith("s"):
            return None
        try:
            return float(duration[:-1]) or None
        except ValueError:
            return None

    def cause(self, cause: Any, of: str) -> str | None:
        """Null where none is given."""
        found = in_words(cause, prefix_of(of)) if isinstance(cause, str) else "UNSPECIFIED"
        return found if found != "UNSPECIFIED" else None

    def plain(self, details: Any) -> dict[str, Any]:
        """Leaves out what is encrypted or binary."""
        return {
            name: plain_payload(held["payloads"][0])
            for name, held in (details or {}).items()
            if name in TELLING and isinstance(held, dict) and held.get("payloads")
        }


def plain_payload(payload: Any) -> Any:
    """The value in a payload that is plain JSON; null for others."""
    if not isinstance(payload, dict):
        return payload
    try:
        encoding = base64.b64decode((payload.get("metadata") or {}).get("encoding", ""))
        return json.loads(base64.b64decode(payload["data"])) if b"json/" in encoding else None
    except (ValueError, KeyError):
        return None


@cache
def type_name(written: str) -> str:
    """The type of an event as the protocol spells it, without its prefix."""
    return in_words(written, "EVENT_TYPE_")


@cache
def attributes_name(kind: str) -> str:
    """The field that holds the attributes of a type of event."""
    return camel(f"{kind.lower()}_event_attributes")


@cache
def camel(name: str) -> str:
    """A name of the protocol as JSON spells it."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def add_events(rows: Rows, unit: int, events: Iterable[dict[str, Any]]) -> Counter[str]:
    """Gather the events of one run; how many of each type, markers of local activities apart."""
    kinds: list[str] = []
    gathered, getters = rows.gathered, rows.getters
    deployed: tuple[Any, ...] = ()
    for event in events:
        name = type_name(str(event.get("eventType")))
        if name not in FIELDS:
            kinds.append(name)
            continue
        attributes = event.get(attributes_name(name)) or {}
        marker = attributes.get("markerName") if name == "MARKER_RECORDED" else None
        kinds.append("LOCAL_ACTIVITY" if marker in LOCAL_ACTIVITIES else name)
        given = getters[name](attributes)
        if name == DEPLOYED:
            if given == deployed:
                continue
            deployed = given
        said = event.get("userMetadata")
        gathered[name].append(
            (
                unit,
                int(event["eventId"]),
                event.get("eventTime"),
                plain_payload(said.get("summary")) if said else None,
                (event.get("principal") or {}).get("name") if "principal" in event else None,
                *given,
            )
        )
    return Counter(kinds)


def _deep(attributes: Any, path: list[str]) -> Any:
    for part in path:
        attributes = attributes.get(part) if isinstance(attributes, dict) else None
    return attributes


def _info(failure: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    for name, about in failure.items():
        if name.endswith("FailureInfo") and about is not None:
            return name.lower(), about
    return "", {}


def began(events: Sequence[Mapping[str, Any]], namespace: str, name: str) -> Began:
    """What is known of the run that these events are the history of; `name` if it tells none."""
    started: Mapping[str, Any] = {}
    run = None
    for event in events:
        if "workflowExecutionStartedEventAttributes" in event:
            started = event["workflowExecutionStartedEventAttributes"] or started
        if "workflowTaskFailedEventAttributes" in event:
            reset = event["workflowTaskFailedEventAttributes"] or {}
            run = reset.get("newRunId") if reset.get("baseRunId") else run
    first = started.get("firstExecutionRunId") or started.get("originalExecutionRunId") or name
    workflow_id = started.get("workflowId") or first

    def chain(execution: Mapping[str, Any] | None, of: str | None) -> str | None:
        if not execution or not execution.get("workflowId"):
            return None
        return case_id(of or namespace, execution["workflowId"], execution.get("runId", ""))

    searched = (started.get("searchAttributes") or {}).get("indexedFields") or {}
    return Began(
        namespace=namespace,
        workflow_id=workflow_id,
        workflow_type=(started.get("workflowType") or {}).get("name") or "workflow",
        first_run=first,
        run=run or started.get("originalExecutionRunId") or first,
        parent=chain(
            started.get("parentWorkflowExecution"), started.get("parentWorkflowNamespace")
        ),
        root=chain(started.get("rootWorkflowExecution"), None),
        attributes={name: plain_payload(payload) for name, payload in searched.items()},
    )
