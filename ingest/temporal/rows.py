"""Temporal's history events as narrow rows: from its protocol or from JSON, the same columns."""

from __future__ import annotations

import gc
import re
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import polars as pl

from ingest.temporal.fields import CAUSES, FIELDS
from miner.eventlog.schema import INSTANT

ROW = pl.Schema(
    {
        "unit": pl.Int32(),  # which of the runs decoded together
        "event_id": pl.Int64(),
        "occurred": INSTANT,
        "type": pl.String(),  # as in the protocol, without EVENT_TYPE_
        "ref": pl.Int64(),  # the event that this one goes on with
        "name": pl.String(),
        "detail": pl.String(),  # the system's id of the activity, timer, update
        "attempt": pl.Int32(),
        "resource": pl.String(),
        "cause": pl.String(),
        "text": pl.String(),  # the reason that a person gave
        "other": pl.String(),  # workflow or endpoint at the other side
        "other_run": pl.String(),
        "queue": pl.String(),
        "label": pl.String(),  # a summary that the workflow's code gave
        "principal": pl.String(),  # the caller, as the server knows them
        "error_kind": pl.String(),
        "error_type": pl.String(),
        "error_message": pl.String(),
        "delay": pl.Float64(),  # seconds to the next attempt, as the failure demands
        "initial": pl.Float64(),  # seconds to the second attempt
        "coefficient": pl.Float64(),
        "maximum": pl.Float64(),  # seconds
        "version": pl.String(),
        "patch": pl.String(),
    }
)

OWN_NAMES = {
    "applicationfailureinfo": "ApplicationError",
    "timeoutfailureinfo": "TimeoutError",
    "canceledfailureinfo": "CancelledError",
    "terminatedfailureinfo": "TerminatedError",
    "serverfailureinfo": "ServerError",
    "resetworkflowfailureinfo": "ResetWorkflow",
    "activityfailureinfo": "ActivityError",
    "childworkflowexecutionfailureinfo": "ChildWorkflowError",
    "nexusoperationexecutionfailureinfo": "NexusOperationError",
    "nexusoperationfailureinfo": "NexusOperationError",
    "nexushandlerfailureinfo": "NexusHandlerError",
}
"""What to call a failure that gives no type of its own."""

DEPLOYED = "WORKFLOW_TASK_COMPLETED"
"""The type of event that tells the version of the code; a row of it is kept when that changes."""
TELLING = {"data", "meta", "type", "activityId", "patch-data", "change-id", "changeId", "version"}
"""The details of a marker that say what it is about."""
LOCAL_ACTIVITIES = {"core_local_activity", "LocalActivity"}
PATCHES = {"core_patch", "Version"}

_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")

Failure = tuple[str | None, str | None, str | None, float | None]
"""Kind, type, message of the innermost cause and the delay demanded before the next attempt."""


class Writing(ABC):
    """How events are written: what differs between the protocol and JSON."""

    instant: ClassVar[pl.Expr]
    """Turns the column `occurred` into a time."""

    @abstractmethod
    def getter(self, paths: Iterable[str]) -> Callable[[Any], tuple[Any, ...]]:
        """A function that takes the values at these paths off the attributes of an event."""

    @abstractmethod
    def failure(self, failure: Any) -> Failure:
        """The innermost cause; all null where there is no failure."""

    @abstractmethod
    def seconds(self, duration: Any) -> float | None:
        """A duration; null where there is none."""

    @abstractmethod
    def cause(self, cause: Any, of: str) -> str | None:
        """The name of a cause in the enumeration `of`, without its prefix."""

    @abstractmethod
    def plain(self, details: Any) -> dict[str, Any]:
        """The first payload of each of the details of a marker, where it is plain JSON."""


@contextmanager
def uncollected() -> Iterator[None]:
    """No search for garbage while a bounded piece is decoded.

    Rows hold no cycles; looking at all of them again and again takes a fifth of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def in_words(name: str, prefix: str) -> str:
    """A name of the protocol as it spells it, without its prefix: JSON has two spellings."""
    if name.startswith(prefix):
        return name.removeprefix(prefix)
    return _WORD.sub("_", name).upper()


def prefix_of(enumeration: str) -> str:
    """What the names of an enumeration of the protocol begin with."""
    return _WORD.sub("_", enumeration).upper() + "_"


def timeout_type(name: str) -> str:
    """A type of error for a time-out: which of its times passed."""
    return f"timeout: {in_words(name, 'TIMEOUT_TYPE_').lower().replace('_', ' ')}"


@dataclass
class Rows:
    """Rows of events, gathered by type."""

    writing: Writing
    gathered: dict[str, list[tuple[Any, ...]]] = field(default_factory=lambda: defaultdict(list))
    getters: dict[str, Callable[[Any], tuple[Any, ...]]] = field(init=False)

    def __post_init__(self) -> None:
        self.getters = {kind: self.writing.getter(paths.values()) for kind, paths in FIELDS.items()}

    def frame(self) -> pl.DataFrame:
        """All rows gathered, with the columns of `ROW`, in order of unit and event."""
        parts = [_part(kind, rows, self.writing) for kind, rows in self.gathered.items()]
        found = pl.concat(parts, how="diagonal_relaxed") if parts else pl.DataFrame(schema=ROW)
        missing = [pl.lit(None, kind).alias(name) for name, kind in ROW.items()
                   if name not in found.columns]  # fmt: skip
        texts = [name for name, kind in ROW.items() if kind == pl.String()]
        return (
            found.with_columns(missing)
            .select(pl.col(name).cast(kind) for name, kind in ROW.items())
            .with_columns(pl.when(pl.col(name) != "").then(pl.col(name)) for name in texts)
            .sort("unit", "event_id")
        )


def _part(kind: str, rows: list[tuple[Any, ...]], writing: Writing) -> pl.DataFrame:
    names = ["unit", "event_id", "occurred", "label", "principal", *FIELDS.get(kind, ())]
    columns: dict[str, list[Any]] = dict(zip(names, map(list, zip(*rows, strict=True))))
    for name in ("initial", "maximum"):
        if name in columns:
            columns[name] = [writing.seconds(value) for value in columns[name]]
    if "cause" in columns and kind in CAUSES:
        columns["cause"] = [writing.cause(cause, CAUSES[kind]) for cause in columns["cause"]]
    if "failure" in columns:
        found = [writing.failure(failure) for failure in columns.pop("failure")]
        told = ("error_kind", "error_type", "error_message", "delay")
        columns |= dict(zip(told, map(list, zip(*found, strict=True))))
    if "details" in columns:
        _open_markers(columns, writing)
    frame = pl.DataFrame(columns, strict=False, infer_schema_length=None)
    frame = frame.with_columns(writing.instant.alias("occurred"), pl.lit(kind).alias("type"))
    if "build" in columns:
        frame = frame.with_columns(_version())
    if "local" in columns:
        local = pl.when("local").then(pl.lit("LOCAL_ACTIVITY")).otherwise("type")
        frame = frame.with_columns(local.alias("type"))
    return frame


def _version() -> pl.Expr:
    """What the workers call the version of their code, in the newest of the ways to say it."""

    def named(deployment: str, build: str) -> pl.Expr:
        joined = pl.concat_str(deployment, pl.lit(":"), build)
        return pl.when((pl.col(build) != "") & (pl.col(deployment) != "")).then(joined)

    alone = [pl.when(pl.col(name) != "").then(name) for name in ("worker_build", "checksum")]
    newest = named("deployment", "build")
    return pl.coalesce(newest, named("older_deployment", "older_build"), *alone).alias("version")


def _open_markers(columns: dict[str, list[Any]], writing: Writing) -> None:
    """Markers of local activities and of patches are about the process; their details say what."""
    names, details = columns["name"], columns.pop("details")
    local = [name in LOCAL_ACTIVITIES for name in names]
    opened: list[tuple[Any, ...]] = []
    for name, given in zip(names, details, strict=True):
        if name in LOCAL_ACTIVITIES:
            opened.append(_local_activity(writing.plain(given)))
        elif name in PATCHES:
            opened.append((name, None, None, _patch(writing.plain(given))))
        else:
            opened.append((name, None, None, None))
    columns |= dict(zip(("name", "detail", "attempt", "patch"), map(list, zip(*opened))))
    columns["local"] = local


def _local_activity(told: dict[str, Any]) -> tuple[Any, ...]:
    """Name, id and attempt, in the words of the three families of workers."""
    data = told.get("data")
    data = data if isinstance(data, dict) else {}
    meta = told.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    name = data.get("activity_type") or data.get("ActivityType") or told.get("type")
    found = data.get("activity_id") or data.get("ActivityID") or told.get("activityId")
    attempt = data.get("attempt") or data.get("Attempt") or meta.get("atpt") or 1
    return str(name or "local activity"), str(found) if found else None, int(attempt), None


def _patch(told: dict[str, Any]) -> str | None:
    data = told.get("patch-data")
    if isinstance(data, dict):
        return str(data.get("id"))
    name, version = told.get("change-id", told.get("changeId")), told.get("version")
    return f"{name}-{version}" if name else None
