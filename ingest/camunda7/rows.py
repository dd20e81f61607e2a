"""Camunda 7: the rows of its history as frames, out of the JSON lines that reading makes of them.

A line `{"kind": …, "bytes": …}` says what the lines in so many bytes after it are about; these hold
a row each, with the names of the REST interface, whichever way they were read.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from miner.errors import SourceRefusedError

TRACE = 400
"""Bytes of a stack trace that are looked at."""
TIME = "%Y-%m-%dT%H:%M:%S%.f%z"

KINDS: dict[str, dict[str, pl.DataType]] = {
    "instance": {
        "id": pl.String(),
        "businessKey": pl.String(),
        "processDefinitionId": pl.String(),
        "processDefinitionKey": pl.String(),
        "processDefinitionVersion": pl.Int64(),
        "startTime": pl.String(),
        "endTime": pl.String(),
        "startUserId": pl.String(),
        "deleteReason": pl.String(),
        "rootProcessInstanceId": pl.String(),
        "superProcessInstanceId": pl.String(),
        "restartedProcessInstanceId": pl.String(),
        "tenantId": pl.String(),
        "state": pl.String(),
    },
    "activity": {
        "id": pl.String(),
        "activityId": pl.String(),
        "activityName": pl.String(),
        "activityType": pl.String(),
        "processInstanceId": pl.String(),
        "executionId": pl.String(),
        "taskId": pl.String(),
        "calledProcessInstanceId": pl.String(),
        "assignee": pl.String(),
        "startTime": pl.String(),
        "endTime": pl.String(),
        "canceled": pl.Boolean(),
    },
    "job-log": {
        "id": pl.String(),
        "timestamp": pl.String(),
        "jobId": pl.String(),
        "jobRetries": pl.Int64(),
        "jobExceptionMessage": pl.String(),
        "exception": pl.String(),
        "jobDefinitionConfiguration": pl.String(),
        "activityId": pl.String(),
        "failedActivityId": pl.String(),
        "executionId": pl.String(),
        "processInstanceId": pl.String(),
        "hostname": pl.String(),
        "creationLog": pl.Boolean(),
        "failureLog": pl.Boolean(),
        "successLog": pl.Boolean(),
        "deletionLog": pl.Boolean(),
    },
    "external-task-log": {
        "id": pl.String(),
        "timestamp": pl.String(),
        "externalTaskId": pl.String(),
        "topicName": pl.String(),
        "workerId": pl.String(),
        "retries": pl.Int64(),
        "errorMessage": pl.String(),
        "exception": pl.String(),
        "activityId": pl.String(),
        "activityInstanceId": pl.String(),
        "processInstanceId": pl.String(),
        "creationLog": pl.Boolean(),
        "failureLog": pl.Boolean(),
        "successLog": pl.Boolean(),
        "deletionLog": pl.Boolean(),
    },
    "incident": {
        "id": pl.String(),
        "processInstanceId": pl.String(),
        "createTime": pl.String(),
        "endTime": pl.String(),
        "incidentType": pl.String(),
        "incidentMessage": pl.String(),
        "activityId": pl.String(),
        "failedActivityId": pl.String(),
        "causeIncidentId": pl.String(),
        "historyConfiguration": pl.String(),
    },
    "user-operation": {
        "id": pl.String(),
        "processInstanceId": pl.String(),
        "jobId": pl.String(),
        "externalTaskId": pl.String(),
        "taskId": pl.String(),
        "userId": pl.String(),
        "timestamp": pl.String(),
        "operationId": pl.String(),
        "operationType": pl.String(),
        "property": pl.String(),
        "newValue": pl.String(),
        "annotation": pl.String(),
    },
    "identity-link-log": {
        "id": pl.String(),
        "time": pl.String(),
        "type": pl.String(),
        "userId": pl.String(),
        "taskId": pl.String(),
        "operationType": pl.String(),
        "assignerId": pl.String(),
    },
    "element": {
        "processDefinitionId": pl.String(),
        "activityId": pl.String(),
        "name": pl.String(),
        "type": pl.String(),
    },
}
"""What is read of each kind, as the REST interface calls it; `exception` is the first line of a
stack trace, and `element` a part of a model."""

TIMES = ("startTime", "endTime", "timestamp", "createTime", "time")
REQUIRED = {
    "instance": ("id", "processDefinitionId", "startTime"),
    "activity": ("id", "activityId", "activityType", "processInstanceId", "startTime"),
    "job-log": ("id", "timestamp", "jobId"),
    "external-task-log": ("id", "timestamp", "externalTaskId", "activityInstanceId"),
    "incident": ("id", "createTime", "incidentType"),
    "user-operation": ("id", "timestamp", "operationType"),
    "identity-link-log": ("id", "time", "taskId"),
}
"""What a row cannot do without."""
ESSENTIAL = ("instance", "activity")
"""Without a row of these that can be used, the engine does not answer as it should."""


def part(kind: str, items: Sequence[Mapping[str, Any]]) -> bytes:
    """Lines of one kind of row; nothing if there is none."""
    lines = "".join(f"{json.dumps(item, ensure_ascii=False)}\n" for item in items)
    return _headed(kind, lines.encode(errors="replace"))


def frame_part(kind: str, items: pl.DataFrame) -> bytes:
    """Lines of one kind of row, out of a frame with the names of the REST interface."""
    return _headed(kind, items.write_ndjson().encode())


def _headed(kind: str, lines: bytes) -> bytes:
    if not lines:
        return b""
    return json.dumps({"kind": kind, "bytes": len(lines)}).encode() + b"\n" + lines


def first_line(trace: bytes | None) -> str | None:
    """The first line of a stack trace, as far as it is of use; null if there is none."""
    text = (trace or b"")[:TRACE].decode(errors="replace").strip()
    return text.splitlines()[0] if text else None


def rows(raw: bytes) -> dict[str, pl.DataFrame]:
    """The rows of each kind in the order they were read, times naive and UTC.

    Each has a column `row`, which counts them, and `problem`: why the row cannot be used, null if
    it can. What was read twice is there once, as it was read last. Raises SourceRefusedError when
    no case or no activity has what it needs: then the engine does not answer as it should.
    """
    parts: dict[str, list[bytes]] = {kind: [] for kind in KINDS}
    place = 0
    while place < len(raw):
        end = raw.find(b"\n", place) + 1
        try:
            head = json.loads(raw[place:end])
            place = end + int(head["bytes"])
            parts[head["kind"]].append(raw[end:place])
        except (ValueError, KeyError, TypeError) as error:
            raise _no_history(f"{raw[place : place + 60]!r}") from error
    return {kind: _rows(b"".join(parts[kind]), kind, fields) for kind, fields in KINDS.items()}


def _no_history(said: str) -> SourceRefusedError:
    return SourceRefusedError(
        f"The engine answered something else than its history: {said}.",
        hint="Check that the address is that of the REST interface, as …/engine-rest.",
    )


def _rows(lines: bytes, kind: str, fields: Mapping[str, pl.DataType]) -> pl.DataFrame:
    try:
        found = pl.read_ndjson(io.BytesIO(lines), schema=fields)
    except pl.exceptions.PolarsError as error:
        raise _no_history(str(error)[:200]) from error
    times = [name for name in TIMES if name in fields]
    problems = [
        pl.when(_instant(name).is_null() & pl.col(name).is_not_null()).then(
            pl.format("{} is no time: {}", pl.lit(name), pl.col(name))
        )
        for name in times
    ] + [
        pl.when(pl.col(name).is_null()).then(pl.lit(f"{kind} without {name}"))
        for name in REQUIRED.get(kind, ())
    ]
    problem = pl.coalesce(*problems) if problems else pl.lit(None, pl.String())
    read = found.with_columns(*(_instant(name) for name in times), problem=problem)
    if kind in ESSENTIAL and read.height and read["problem"].null_count() == 0:
        raise SourceRefusedError(
            f"The engine's answers are not as they should be: {read['problem'][0]}.",
            hint="Check that it is Camunda 7, Operaton or CIB seven, and its version.",
        )
    wrong = pl.col("problem").is_not_null()
    record = pl.when(wrong).then(pl.Series("record", _records(found, read["problem"])))
    key = ["id", "problem", "record"] if "id" in fields else list(fields)
    once = read.with_columns(record=record).unique(subset=key, keep="last", maintain_order=True)
    return once.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))


def _instant(name: str) -> pl.Expr:
    read = pl.col(name).str.to_datetime(TIME, time_unit="us", strict=False)
    return read.dt.replace_time_zone(None)


def _records(found: pl.DataFrame, problem: pl.Series) -> pl.Series:
    """Rows that cannot be used as JSON, null for the others."""
    if problem.null_count() == len(problem):
        return pl.Series("record", [None] * found.height, dtype=pl.String)
    return found.to_struct("record").struct.json_encode()
