"""The columns of events, with the names of the IEEE XES standard behind them."""

from __future__ import annotations

import polars as pl

INSTANT = pl.Datetime("us")
"""Naive and UTC by contract."""

DURATION = pl.Duration("us")

EVENT = pl.Schema(
    {
        "process": pl.String(),  # null: the process named at loading
        "case_id": pl.String(),  # concept:name of the trace
        "event_id": pl.String(),  # identity:id in its source; null: identified by its content
        "activity": pl.String(),  # concept:name of the event
        "activity_id": pl.String(),  # stable id of the activity in the model
        "instance_id": pl.String(),  # concept:instance, ties transitions of one instance together
        "lifecycle": pl.String(),  # lifecycle:transition as the source spells it; null: complete
        "timestamp": INSTANT,  # time:timestamp
        "position": pl.Int64(),  # order in the source; breaks ties between equal timestamps
        "attempt": pl.Int32(),  # 1 for the first try; null: unknown
        "resource": pl.String(),  # org:resource
        "resource_kind": pl.String(),  # human or system; null: unknown
        "error_type": pl.String(),
        "error_message": pl.String(),
        "process_version": pl.String(),  # the deployed version this run ran on
        "attributes": pl.String(),  # further attributes of the event: one JSON object
        "version": pl.Int64(),  # of this event in its source; a newer one corrects an older one
        "parent_case_id": pl.String(),
        "root_case_id": pl.String(),
        "case_status": pl.String(),  # the source's verdict on the run, one of CASE_STATUS
        "case_attributes": pl.String(),  # attributes of the case: one JSON object
    }
)

REJECTED = pl.Schema({"reason": pl.String(), "record": pl.String()})
"""A row with a reason is no event: it goes to quarantine with the raw record."""

BATCH = pl.Schema({**EVENT, **REJECTED})
"""What a source yields: events, and what could not become one."""

LIFECYCLE = (
    "scheduled",
    "assigned",
    "start",
    "suspend",
    "resume",
    "complete",
    "fail",
    "timeout",
    "cancel",
    "skip",
    "retry",
)

STATUS = ("completed", "failed", "timed_out", "cancelled", "skipped", "running", "scheduled")
"""How an activity instance stands."""

CASE_STATUS = ("completed", "failed", "timed_out", "cancelled", "running")
"""How a case stands, as its source or its last activity instance says."""

RESOURCE_KIND = ("human", "system")
