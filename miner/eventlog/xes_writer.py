"""Events as a XES file."""

from __future__ import annotations

import gzip
import json
import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import polars as pl

from miner.errors import InputError
from miner.eventlog.schema import BATCH

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="2.0" xes.features="nested-attributes" xmlns="http://www.xes-standard.org/">
<extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>
<extension name="Identity" prefix="identity" uri="http://www.xes-standard.org/identity.xesext"/>
<extension name="Lifecycle" prefix="lifecycle" uri="http://www.xes-standard.org/lifecycle.xesext"/>
<extension name="Organizational" prefix="org" uri="http://www.xes-standard.org/org.xesext"/>
<extension name="Time" prefix="time" uri="http://www.xes-standard.org/time.xesext"/>
<global scope="trace">
<string key="concept:name" value=""/>
</global>
<global scope="event">
<string key="concept:name" value=""/>
<date key="time:timestamp" value="1970-01-01T00:00:00.000+00:00"/>
</global>
<classifier name="Activity" keys="concept:name"/>
<classifier name="Resource" keys="org:resource"/>
"""
NAME = '<string key="concept:name" value="{}"/>\n'
TAIL = "</log>\n"

EVENT_KEYS = {
    "activity": "concept:name",
    "lifecycle": "lifecycle:transition",
    "resource": "org:resource",
    "instance_id": "concept:instance",
    "event_id": "identity:id",
    "activity_id": "procession:activity_id",
    "attempt": "procession:attempt",
    "resource_kind": "procession:resource_kind",
    "error_type": "procession:error_type",
    "error_message": "procession:error_message",
    "process_version": "procession:process_version",
    "version": "procession:version",
}
TRACE_KEYS = {
    "case_id": "concept:name",
    "case_status": "procession:status",
    "parent_case_id": "procession:parent_case_id",
    "root_case_id": "procession:root_case_id",
}
TAKEN = {*EVENT_KEYS.values(), *TRACE_KEYS.values(), "time:timestamp"}

ESCAPES = {
    **{chr(code): chr(0x2400 + code) for code in range(32)},
    "\t": "&#9;",
    "\n": "&#10;",
    "\r": "&#13;",
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "\ufffe": "\ufffd",
    "\uffff": "\ufffd",
}
"""Control characters that XML forbids become their pictures (U+2400 and on), as ␛ for escape."""
TABLE = str.maketrans(ESCAPES)
TO_ESCAPE = re.compile(f"[{re.escape(''.join(ESCAPES))}]")
UUID = "(?i)^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


class _Real(str):
    """A JSON number with a point or an exponent, digit by digit as it was written."""

    __slots__ = ()


def write_xes(frames: Iterable[pl.DataFrame], path: Path, *, name: str) -> None:
    """Write events, sorted by case, to `path` as XES 2.0; packed where it ends in `.gz`.

    `frames` have the columns of `BATCH` or some of them, with `case_id`, `activity` and
    `timestamp`; rows with a `reason` are no events and are left out. A trace is a run of rows of
    one case, and has the case columns of its first row. Attributes keep the types that JSON has;
    text that is a date and time with an offset becomes a date; nulls and empty columns are left
    out. Keys that XES gives to a column (`concept:name`, …) get the prefix `attribute:`. Characters
    that XML forbids are replaced by their pictures, as ␀ for NUL, and by U+FFFD.

    Takes the memory of one frame. `path` holds the old file or the whole new one, never a part; no
    events make a log without traces. Raises InputError where `path` cannot be written.

    Source: XES standard definition 2.0 (xes-standard.org), IEEE 1849-2016.
    """
    unfinished = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        with unfinished.open("xb") as file:
            if path.suffix == ".gz":
                with gzip.GzipFile("", "wb", fileobj=file, compresslevel=6, mtime=0) as packed:
                    _write(frames, packed, name)
            else:
                _write(frames, file, name)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}.",
            hint="Check the folder, its permissions and the space left on the disk.",
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)


def _write(frames: Iterable[pl.DataFrame], file: BinaryIO | gzip.GzipFile, name: str) -> None:
    file.write((HEAD + NAME.format(name.translate(TABLE))).encode())
    case: str | None = None
    opened = False
    for frame in frames:
        rows = frame.match_to_schema(BATCH, missing_columns="insert", extra_columns="ignore")
        rows = rows.filter(pl.col("reason").is_null())
        if rows.is_empty():
            continue
        text = _traces(rows, continued=opened and rows["case_id"][0] == case)
        # each trace closes the one before it; the first of the file has none before it
        file.write((text if opened else text.removeprefix("</trace>\n")).encode())
        case, opened = rows["case_id"][-1], True
    file.write(("</trace>\n" * opened + TAIL).encode())


def _traces(rows: pl.DataFrame, *, continued: bool) -> str:
    """The rows as XML; whoever knows that the last trace has ended closes it."""
    changes = pl.col("case_id").ne_missing(pl.col("case_id").shift(1))
    starts = pl.when(pl.col("row") == 0).then(not continued).otherwise(changes)
    numbered = rows.with_row_index("row")
    first_rows = numbered.filter(starts)
    heads = first_rows.select(
        "row",
        pl.concat_str(
            pl.lit("</trace>\n<trace>\n"),
            *(_element(column, key) for column, key in TRACE_KEYS.items()),
            _fragments(first_rows["case_attributes"]),
            pl.lit("<event>\n"),
        ).alias("head"),
    )
    lines = numbered.join(heads, on="row", how="left", maintain_order="left").select(
        pl.concat_str(
            pl.col("head").fill_null("<event>\n"),
            *(_element(column, key) for column, key in EVENT_KEYS.items()),
            _timestamp(),
            _fragments(rows["attributes"]),
            pl.lit("</event>\n"),
        )
    )
    return "".join(lines.to_series())


def _element(column: str, key: str) -> pl.Expr:
    """The column as an attribute of XES; empty text where it is null or empty."""
    if BATCH[column] != pl.String():
        kind, value = pl.lit("int"), pl.col(column).cast(pl.String)
    else:
        value = pl.col(column).str.replace_many(list(ESCAPES), list(ESCAPES.values()))
        kind = pl.lit("string")
        if key == "identity:id":
            kind = pl.when(pl.col(column).str.contains(UUID)).then(pl.lit("id")).otherwise(kind)
    element = pl.format('<{} key="{}" value="{}"/>\n', kind, pl.lit(key), value)
    return pl.when(value.str.len_bytes() > 0).then(element).otherwise(pl.lit(""))


def _timestamp() -> pl.Expr:
    """Milliseconds where they suffice: some readers take six digits for that many milliseconds."""
    time = pl.col("timestamp")
    whole = time.dt.microsecond() % 1000 == 0
    text = (
        pl.when(whole)
        .then(time.dt.strftime("%Y-%m-%dT%H:%M:%S%.3f+00:00"))
        .otherwise(time.dt.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00"))
    )
    return pl.format('<date key="time:timestamp" value="{}"/>\n', text).fill_null("")


def _fragments(json_objects: pl.Series) -> pl.Series:
    """The members of each JSON object as attributes of XES."""
    distinct = json_objects.unique().drop_nulls()
    written = pl.Series([_members(_parsed(text), TAKEN) for text in distinct], dtype=pl.String)
    return json_objects.replace_strict(distinct, written, default=None).fill_null("")


def _parsed(text: str) -> dict[str, Any]:
    parsed = json.loads(text, parse_float=_Real, parse_constant=str)
    return parsed if isinstance(parsed, dict) else {"value": parsed}


def _members(members: dict[str, Any], taken: Collection[str] = ()) -> str:
    return "".join(
        [
            _attribute(f"attribute:{key}" if key in taken else key, value)
            for key, value in members.items()
            if value is not None
        ]
    )


def _attribute(key: str, value: Any) -> str:
    if isinstance(value, dict):
        if value.keys() == {"value", "attributes"} and _is_attributed(value):
            return _attributed(key, value)
        return f'<container key="{_escaped(key)}">\n{_members(value)}</container>\n'
    if isinstance(value, list):
        elements = "".join([_list_element(e) for e in value if e is not None])
        return f'<list key="{_escaped(key)}">\n<values>\n{elements}</values>\n</list>\n'
    kind, text = _typed(value)
    return f'<{kind} key="{_escaped(key)}" value="{text}"/>\n'


def _list_element(element: Any) -> str:
    """An element with a key is an object of one member, as the reader of XES has it."""
    if isinstance(element, dict) and len(element) == 1:
        ((key, value),) = element.items()
        if key and value is not None:
            return _attribute(key, value)
    return _attribute("", element)


def _is_attributed(value: dict[str, Any]) -> bool:
    """Whether an object stands for an attribute with attributes of its own."""
    return bool(
        isinstance(value["attributes"], dict)
        and value["attributes"]
        and not isinstance(value["value"], dict | None)
    )


def _attributed(key: str, value: dict[str, Any]) -> str:
    own = _members(value["attributes"])
    if isinstance(value["value"], list):
        return _attribute(key, value["value"]).removesuffix("</list>\n") + own + "</list>\n"
    kind, text = _typed(value["value"])
    return f'<{kind} key="{_escaped(key)}" value="{text}">\n{own}</{kind}>\n'


def _typed(value: Any) -> tuple[str, str]:
    if isinstance(value, bool):
        return "boolean", "true" if value else "false"
    if isinstance(value, int):
        return "int", str(value)
    if isinstance(value, _Real):
        return "float", value
    return "date" if DATE.fullmatch(value) else "string", _escaped(value)


def _escaped(text: str) -> str:
    return text.translate(TABLE) if TO_ESCAPE.search(text) else text
