"""Runs of Temporal workflows: which case a run belongs to, and its history decoded."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from ingest.temporal import json as temporal_json
from ingest.temporal import protocol as temporal_protocol
from ingest.temporal.attempts import LATEST_POSSIBLE
from ingest.temporal.events import PENDING, RUN, events_of
from ingest.temporal.fields import SILENT, SPANS
from ingest.temporal.files import parser
from ingest.temporal.rows import Rows, uncollected
from miner.eventlog.definitions import Limitation

MISSING = (
    "Temporal records only the last attempt of an activity: the failed attempts before it are "
    "counted, but they stand at the latest time at which they can have ended, without a start."
)
UNENDED = (
    "Activities had not ended when their workflow was closed or reset; how often they were tried "
    "is not recorded."
)
BY_RESET = "workflow terminated by reset"
MEASURES = ("service_time", "waiting_time", "median_recovery", "mean_recovery", "top_error")


@dataclass(frozen=True)
class Decoded:
    """Events, and how many events of the history were of which type."""

    events: pl.DataFrame
    types: Counter[str]


@uncollected()
def decode_lines(raw: bytes) -> pl.DataFrame:
    """Decode lines as the live source writes them: one run in each, in messages of the protocol."""
    from temporalio.api.workflowservice.v1 import (
        DescribeWorkflowExecutionResponse,
        GetWorkflowExecutionHistoryResponse,
    )

    rows, types = Rows(temporal_protocol.Protocol()), temporal_protocol.Types()
    runs: list[tuple[Any, ...]] = []
    pending: list[tuple[Any, ...]] = []
    loads = parser()
    for unit, line in enumerate(raw.splitlines()):
        said = loads(line)
        events = [
            event
            for page in said["history"]
            for event in GetWorkflowExecutionHistoryResponse.FromString(
                base64.b64decode(page)
            ).history.events
        ]
        temporal_protocol.add_events(rows, unit, events, types)
        runs.append(temporal_protocol.began(events, said).row(unit))
        if said.get("pending"):
            told = DescribeWorkflowExecutionResponse.FromString(base64.b64decode(said["pending"]))
            pending += temporal_protocol.pending_rows(unit, told)
    return _decoded(rows, runs, pending)


@dataclass
class Histories:
    """Histories in JSON, gathered one after the other, so that none has to stay in memory."""

    namespace: str
    rows: Rows = field(default_factory=lambda: Rows(temporal_json.Json()))
    runs: list[tuple[Any, ...]] = field(default_factory=list)
    types: Counter[str] = field(default_factory=Counter)

    @uncollected()
    def add(self, events: Sequence[dict[str, Any]], name: str) -> None:
        """Gather a history; `name` is for a workflow that tells none."""
        unit = len(self.runs)
        self.types.update(temporal_json.add_events(self.rows, unit, events))
        self.runs.append(temporal_json.began(events, self.namespace, name).row(unit))

    @uncollected()
    def decoded(self) -> Decoded:
        """What was gathered."""
        return Decoded(_decoded(self.rows, self.runs, []), self.types)


def decode_objects(histories: Iterable[Sequence[dict[str, Any]]], namespace: str) -> Decoded:
    """Decode histories in JSON, each a list of its events."""
    gathered = Histories(namespace)
    for events in histories:
        gathered.add(events, "workflow")
    return gathered.decoded()


def hidden(types: Mapping[str, int]) -> Iterator[Limitation]:
    """How many events of which types are not shown; nothing vanishes without its name."""
    for name, count in sorted(types.items()):
        if name in SPANS:
            continue
        known = "is bookkeeping of the engine or shown by another event"
        text = f"{name} {known if name in SILENT else 'is a type that this version does not know'}."
        yield Limitation("hidden" if name in SILENT else "unknown-events", text, (), count)


def missing_attempts(events: pl.DataFrame, *, is_open: bool = False) -> Iterator[Limitation]:
    """How many attempts were counted by the server but not recorded."""
    bound = pl.col("attributes").str.contains(LATEST_POSSIBLE, literal=True)
    bounds = events.filter(bound).height
    if is_open:  # read again and again: counted when they are closed
        if bounds:
            yield Limitation("missing-attempts", f"Open workflows: {MISSING}", MEASURES)
        return
    if bounds:
        yield Limitation("missing-attempts", MISSING, MEASURES, bounds)
    # An activity's events are called RUN:SCHEDULED:…; a run that is over has a verdict.
    run = pl.col("event_id").str.split(":").list.get(0)
    activity = pl.col("event_id").str.extract("^([^:]+:[0-9]+):")
    over = events.filter((pl.col("case_status") != "running") | (pl.col("activity") == BY_RESET))
    unended = (
        events.filter(pl.col("event_id").str.ends_with(":scheduled"))
        .with_columns(run.alias("run"), activity.alias("operation"))
        .join(over.select(run.alias("run")).unique(), on="run", how="semi")
        .join(
            events.filter(~bound & pl.col("event_id").str.ends_with(":end")).select(
                activity.alias("operation")
            ),
            on="operation",
            how="anti",
        )
        .height
    )
    if unended:
        yield Limitation("missing-attempts", UNENDED, ("attempts", "retry_rate"), unended)


def _decoded(
    rows: Rows, runs: list[tuple[Any, ...]], pending: list[tuple[Any, ...]]
) -> pl.DataFrame:
    return events_of(
        rows.frame(),
        pl.DataFrame(runs, schema=RUN, orient="row"),
        pl.DataFrame(pending, schema=PENDING, orient="row"),
    )
