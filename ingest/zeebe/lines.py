"""Exported records of Zeebe: from lines of JSON to one narrow row per step of an element."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import polars as pl

from miner.errors import InputError, LogFormatError

SEEN = (
    "SERVICE_TASK", "SEND_TASK", "USER_TASK", "RECEIVE_TASK", "SCRIPT_TASK", "MANUAL_TASK", "TASK",
    "BUSINESS_RULE_TASK", "CALL_ACTIVITY", "INTERMEDIATE_CATCH_EVENT", "INTERMEDIATE_THROW_EVENT",
    "BOUNDARY_EVENT",
)  # fmt: skip
"""Elements that are activities. What contains others (sub-processes, bodies of multi-instance), the
plain starts and ends of a process, gateways and sequence flows are none."""

BEGINS = (
    "CALL_ACTIVITY", "RECEIVE_TASK", "MANUAL_TASK", "TASK", "INTERMEDIATE_CATCH_EVENT",
    "BOUNDARY_EVENT",
)  # fmt: skip
"""Activities that start when the element does; the others start when somebody takes their job."""

PIECE = 32 << 20
"""Bytes that are decoded at a time; bounds memory whatever the length of a file."""

NUMBERS = frozenset(
    {
        "partitionId", "position", "sourceRecordPosition", "key", "timestamp", "version",
        "processDefinitionKey", "processInstanceKey", "elementInstanceKey", "jobKey",
        "processDefinitionVersion", "parentProcessInstanceKey", "rootProcessInstanceKey",
        "retries", "retryBackoff",
    }
)  # fmt: skip
_HEAD = (
    "partitionId", "position", "sourceRecordPosition", "key", "timestamp", "valueType", "intent",
    "recordType",
)  # fmt: skip
_WHERE = ("bpmnProcessId", "processDefinitionKey", "processInstanceKey", "elementId", "tenantId")
_VALUE = (
    *_WHERE, "bpmnElementType", "elementInstanceKey", "version", "processDefinitionVersion",
    "parentProcessInstanceKey", "rootProcessInstanceKey", "businessId", "jobKind", "type", "worker",
    "retries", "retryBackoff", "errorType", "errorCode", "errorMessage", "jobKey", "assignee",
    "action",
)  # fmt: skip
_JOB = (
    *_WHERE, "elementInstanceKey", "processDefinitionVersion", "jobKind", "type", "worker",
    "retries",
)  # fmt: skip


def _fields(*names: str) -> dict[str, pl.DataType]:
    return {name: pl.Int64() if name in NUMBERS else pl.String() for name in names}


def _record(**value: pl.DataType) -> pl.Struct:
    """A record whose value has these fields."""
    actor = pl.Struct(_fields("authorized_username", "authorized_client_id"))
    return pl.Struct({**_fields(*_HEAD), "authorizations": actor, "value": pl.Struct(value)})


_STEP = _record(
    **_fields(*_VALUE),
    changedAttributes=pl.List(pl.String()),
    elementInstancePath=pl.List(pl.List(pl.Int64())),
)
_BATCH = _record(jobKeys=pl.List(pl.Int64()), jobs=pl.List(pl.Struct(_fields(*_JOB))))
_CHANGE = _record(
    processInstanceKey=pl.Int64(),
    activateInstructions=pl.List(pl.Struct(_fields("elementId"))),
)

# Most records say nothing about activities; telling so from their text is cheaper than parsing.
_PLAIN = r'"valueType"\s*:\s*"(?:JOB|USER_TASK|INCIDENT)"'
_ELEMENT = r'"valueType"\s*:\s*"PROCESS_INSTANCE"'
_ENDED = r'"intent"\s*:\s*"ELEMENT_(?:COMPLETED|TERMINATED|MIGRATED)"'
_STARTED = r'"intent"\s*:\s*"ELEMENT_ACTIVATED"'
_SEEN = rf'"bpmnElementType"\s*:\s*"(?:PROCESS|{"|".join(SEEN)})"'
_BEGINS = rf'"bpmnElementType"\s*:\s*"(?:PROCESS|{"|".join(BEGINS)})"'
_TAKEN = r'"valueType"\s*:\s*"JOB_BATCH"'
_NO_JOBS = r'"jobKeys"\s*:\s*\[\s*\]'
_CHANGED = r'"valueType"\s*:\s*"PROCESS_INSTANCE_MODIFICATION"'
_DOCUMENT = r'^\s*\{\s*"_'
_ACTION = r'^\s*\{\s*"(?:index|create|update|delete)"\s*:'

FEW = 1_000
"""Lines that are parsed in one call."""

REJECTED = pl.Schema({"reason": pl.String(), "record": pl.String()})


def pieces(path: Path) -> Iterator[bytes]:
    """The bytes of a file, which may be packed by gzip, in pieces of whole lines.

    Raises InputError when it cannot be read.
    """
    rest = b""
    try:
        with _opened(path) as file:
            while piece := file.read(PIECE):
                whole, newline, after = piece.rpartition(b"\n")
                if not newline:
                    rest += after
                    continue
                yield rest + whole + newline
                rest = after
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}.") from error
    if rest.strip():
        yield rest


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path)) if packed else path.open("rb")


def lines(raw: bytes) -> pl.DataFrame:
    """The lines of a text as the column `line`; empty ones are left out."""
    empty = pl.DataFrame(schema={"line": pl.String()})
    if not raw.strip():
        return empty
    try:
        found = pl.read_csv(
            raw, has_header=False, separator="\x01", quote_char=None, schema=empty.schema,
            encoding="utf8-lossy",
        )  # fmt: skip
    except pl.exceptions.PolarsError as error:
        raise LogFormatError(f"These are no lines of text: {str(error)[:100]}.") from error
    return found.drop_nulls()


def records(found: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The records about activities in the column `line`, and the lines that are no records.

    A line is a record as an exporter writes it, a document of Elasticsearch around one, or the
    action before it in a bulk request. Records about anything else are left out.
    """
    plain, rest = _split(found, _PLAIN)
    element, rest = _split(rest, _ELEMENT)
    taken, rest = _split(rest, _TAKEN)
    _, taken = _split(taken, _NO_JOBS)
    changed, rest = _split(rest, _CHANGED)
    line = pl.col("line")
    usual = line.str.contains('"valueType"', literal=True) | line.str.contains(_ACTION)
    unusual = rest.filter(~usual).filter(line.str.strip_chars() != "")
    rejected, steps = [_rejected(unusual, "no Zeebe record")], []
    seen = element.filter(line.str.contains(_SEEN))
    ended = seen.filter(line.str.contains(_ENDED))
    started = seen.filter(line.str.contains(_BEGINS)).filter(line.str.contains(_STARTED))
    for told, shape, stepped in (
        (pl.concat([plain, ended, started]), _STEP, _stepped),
        (taken, _BATCH, _taken),
        (changed, _CHANGE, _changed),
    ):
        records, broken = _parsed(told, shape)
        steps.append(stepped(records.unnest("authorizations")))
        rejected.append(broken)
    return pl.concat(steps, how="diagonal", rechunk=True), pl.concat(rejected)


def _split(found: pl.DataFrame, pattern: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The lines in which a pattern occurs, and the others: each line is looked at once."""
    hit = found["line"].str.contains(pattern)
    return found.filter(hit), found.filter(~hit)


def _rejected(found: pl.DataFrame, reason: str) -> pl.DataFrame:
    line = pl.col("line").str.slice(0, 65_536)
    return found.select(pl.lit(reason).alias("reason"), line.alias("record"))


def parsed(found: pl.DataFrame, shape: pl.Struct) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The column `line` as the columns of `shape`, and the lines that are nothing of that shape.

    Halving finds the broken lines among many good ones.
    """
    line = pl.col("line")
    try:
        # All lines of a call are trees in memory at once: few of them stay in the cache.
        few = [found.slice(first, FEW) for first in range(0, max(found.height, 1), FEW)]
        decoded = [part.select(line.str.json_decode(shape).alias("parsed")) for part in few]
        return pl.concat(decoded, rechunk=True).unnest("parsed"), pl.DataFrame(schema=REJECTED)
    except pl.exceptions.PolarsError:
        if found.height > 1:
            half = found.height // 2
            parts = [parsed(part, shape) for part in (found.head(half), found.slice(half))]
            return pl.concat([part[0] for part in parts]), pl.concat([part[1] for part in parts])
    none, _ = parsed(found.clear(), shape)
    return none, _rejected(found, "not valid JSON of the expected shape")


def _parsed(found: pl.DataFrame, shape: pl.Struct) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The records in lines, some of which may be documents around them."""
    wrapped = pl.col("line").str.contains(_DOCUMENT)
    plain, broken = parsed(found.filter(~wrapped), shape)
    inner, others = parsed(found.filter(wrapped), pl.Struct({"_source": shape}))
    return pl.concat([plain, inner.unnest("_source")]), pl.concat([broken, others])


def _stepped(told: pl.DataFrame) -> pl.DataFrame:
    """Steps of elements, jobs, user tasks and incidents."""
    return (
        told.unnest("value")
        .with_columns(
            pl.col("changedAttributes").list.contains("retries").alias("retriesChanged"),
            pl.col("elementInstancePath").list.first().list.first().alias("rootOfPath"),
        )
        .drop("changedAttributes", "elementInstancePath")
    )


def _taken(told: pl.DataFrame) -> pl.DataFrame:
    """Jobs that a worker was given together, as a step of each."""
    batches = (
        told.drop("key")
        .unnest("value")
        .filter(
            pl.col("intent") == "ACTIVATED",
            pl.col("jobs").list.len() == pl.col("jobKeys").list.len(),
        )
    )
    jobs = batches.explode("jobs", "jobKeys", empty_as_null=False).rename({"jobKeys": "key"})
    return jobs.with_columns(pl.lit("JOB").alias("valueType")).unnest("jobs")


def _changed(told: pl.DataFrame) -> pl.DataFrame:
    """Elements that somebody began by hand."""
    begun = pl.col("activateInstructions").list.eval(pl.element().struct.field("elementId"))
    changes = told.unnest("value").with_columns(begun.alias("elementId"))
    return changes.drop("activateInstructions").explode("elementId", empty_as_null=False)
