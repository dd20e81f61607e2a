"""Event logs written the way people say them: `log_of({"c1": "Create@0 Check@5-9 Pay@12"})`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

import polars as pl

from miner.eventlog.log import EventLog

START = datetime(2026, 1, 5, 8)
"""Minute 0: a Monday morning."""

_ENDINGS = {"": "complete", "!": "fail", "~": "timeout", "x": "cancel", "/": "skip"}
_STEP = re.compile(
    r"(?P<activity>[^@\s]+)@(?:(?P<queued>[\d.]+)\|)?(?P<first>[\d.]+)"
    r"(?:-(?P<second>[\d.]*))?(?P<ending>[!~x/])?(?:\((?P<resource>[^)]*)\))?"
)


def minutes(number: float) -> timedelta:
    """A duration in minutes."""
    return timedelta(minutes=number)


def at(minute: float) -> datetime:
    """The instant of a minute."""
    return START + minutes(minute)


def events_of(traces: Mapping[str, str]) -> pl.DataFrame:
    """The events of traces.

    `A@5` completes at minute 5; `A@5-9` starts at 5 and completes at 9; `A@5-` starts and still
    runs; `A@1|5-9` was scheduled at 1. `!` after the time fails, `~` times out, `x` is cancelled,
    `/` is skipped. `(ann)` names the resource; `(ann:human)` its kind too.
    """
    rows: list[tuple[object, ...]] = []
    for case_id, trace in traces.items():
        for step in trace.split():
            found = _STEP.fullmatch(step)
            assert found, f"{step!r} is no step"
            rows.extend((case_id, *event) for event in _events(found))
    frame = pl.DataFrame(
        rows,
        schema={
            "case_id": pl.String,
            "activity": pl.String,
            "lifecycle": pl.String,
            "timestamp": pl.Datetime("us"),
            "resource": pl.String,
            "resource_kind": pl.String,
        },
        orient="row",
    )
    return frame.with_columns(position=pl.int_range(pl.len()))


def log_of(traces: Mapping[str, str]) -> EventLog:
    """The event log of traces."""
    return EventLog.from_frame(events_of(traces))


def _events(found: re.Match[str]) -> list[tuple[str, str, datetime, str | None, str | None]]:
    resource, _, kind = (found["resource"] or "").partition(":")
    ending = _ENDINGS[found["ending"] or ""]
    moments = []
    if found["queued"]:
        moments.append(("scheduled", found["queued"]))
    if found["second"] is None:
        moments.append((ending, found["first"]))
    else:
        moments.append(("start", found["first"]))
        if found["second"]:
            moments.append((ending, found["second"]))
    return [
        (found["activity"], word, at(float(minute)), resource or None, kind or None)
        for word, minute in moments
    ]
