"""Messages of queues: as lines of bytes when they are fetched, as events when they are decoded.

A line is what a queue delivered, kept as it was: the value as text where it is text, else base64.
Decoding needs nothing but the lines and a mapping, so they can be decoded again with a better one.
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from ingest.mapping import Mapping, hardened
from ingest.mapping.fields import ENVELOPE
from ingest.mapping.values import Value
from miner.eventlog.schema import BATCH

LINE = pl.Schema(
    {
        "id": pl.String(),  # what makes the message this one, however often it is delivered
        "topic": pl.String(),
        "partition": pl.Int32(),
        "offset": pl.Int64(),
        "milliseconds": pl.Int64(),  # when it was written, since 1970 in UTC
        "timed_by": pl.String(),  # who said so: writer or broker
        "key": pl.String(),
        "headers": pl.String(),  # the text of one JSON object
        "value": pl.String(),
        "base64": pl.String(),  # the value, where it is no text
        "schema": pl.Int64(),  # such a line is no message but schema number …
        "texts": pl.List(pl.String()),  # … after the schemas it refers to
    }
)
"""The lines of one page."""

IDENTITY = "procession_id"
"""The header that the id of a message is put under, for mappings."""


def message_line(fields: dict[str, Any], value: bytes | None, *, binary: bool = False) -> bytes:
    """One message as a line; with `binary` its value is no text whatever it looks like."""
    text = None if value is None or binary else _text(value)
    if text is not None:
        fields["value"] = text
    elif value is not None:
        fields["base64"] = base64.b64encode(value).decode()
    return json.dumps(fields, ensure_ascii=False).encode() + b"\n"


def schema_line(number: int, texts: list[str]) -> bytes:
    """A schema, after those that it refers to, as a line among the messages that need it."""
    return json.dumps({"schema": number, "texts": texts}, ensure_ascii=False).encode() + b"\n"


def readable(data: bytes | str) -> str:
    """Text as it is; bytes that are no UTF-8 as base64."""
    if isinstance(data, str):
        return data
    try:
        return data.decode()
    except UnicodeDecodeError:
        return base64.b64encode(data).decode()


def lines_of(raw: bytes) -> pl.DataFrame:
    """The lines of a page as a frame of `LINE`."""
    return pl.read_ndjson(raw, schema=LINE) if raw else pl.DataFrame(schema=LINE)


def events_of(raw: bytes, mapping: Mapping, *, avro: bool = False) -> pl.DataFrame:
    """The events of a page, with the columns of `BATCH`.

    An event has the id of its message unless the mapping names another. Messages without a value,
    or with one that cannot be decoded, are rejected with the value in base64, unless the mapping
    does without what is inside of values.
    """
    page = lines_of(raw)
    messages = page.filter(pl.col("schema").is_null()).with_columns(
        pl.lit(None, pl.String()).alias("undecoded")
    )
    if messages.is_empty():
        return pl.DataFrame(schema=BATCH)
    if avro:
        messages = _avro_decoded(messages, page)
    with hardened() as connection:
        connection.register("message", messages)
        connection.execute(_RECORDS)
        events: pl.DataFrame = connection.sql(_select(mapping)).pl()
    return events.cast(BATCH)


def mapping_of(path: str) -> Mapping:
    """The mapping in a file, read again only when the file has changed."""
    try:
        changed = Path(path).stat().st_mtime_ns
    except OSError:
        changed = 0
    return _mapping(path, changed)


def paths_in(mapping: Mapping, key: str | None = None) -> set[tuple[str, ...]]:
    """The fields that a mapping uses, by default for all keys."""
    values = [
        value
        for rule in mapping.rules
        for value in (
            *(value for name, value in rule.values if key in (None, name)),
            *(value for _, value in (*rule.attributes, *rule.case_attributes) if key is None),
            *((rule.when,) if rule.when and key is None else ()),
        )
    ]
    return {path for value in values for path in (value.fields or (value.path,)) if path}


@lru_cache(maxsize=16)
def _mapping(path: str, _changed: int) -> Mapping:
    return Mapping.read(path)


def _text(data: bytes) -> str | None:
    # Registries of JSON schemas put a zero and their number before the text.
    if data[:1] == b"\0" and len(data) > 5:
        data = data[5:]
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _avro_decoded(messages: pl.DataFrame, page: pl.DataFrame) -> pl.DataFrame:
    from ingest.messages.avro import as_json

    schemas = dict(page.filter(pl.col("schema").is_not_null()).select("schema", "texts").rows())
    texts, reasons = as_json(messages["base64"], schemas)
    return messages.with_columns(
        pl.Series("value", texts, pl.String()), pl.Series("undecoded", reasons, pl.String())
    )


@lru_cache(maxsize=16)
def _select(mapping: Mapping) -> str:
    identified = _with_ids(mapping)
    return identified.select_lines(
        "record", "record", position='"offset"', broken=_broken(mapping), messages=True
    )


def _with_ids(mapping: Mapping) -> Mapping:
    """The mapping, with the id of its message for each event that names none."""
    value = Value("event_id", IDENTITY, 1, path=("headers", IDENTITY))
    key = "event_id" if len(mapping.rules) == 1 else "event_id_shared"
    rules = tuple(
        rule
        if {"event_id", "event_id_shared"} & {name for name, _ in rule.values}
        else replace(rule, values=(*rule.values, (key, value)))
        for rule in mapping.rules
    )
    return replace(mapping, rules=rules)


def _broken(mapping: Mapping) -> str:
    """SQL for why a message cannot become an event whatever the mapping says, or null."""
    paths = paths_in(mapping)
    inside = any(path[0] not in ENVELOPE or (path[0] == "value" and path[1:]) for path in paths)
    if ("value",) in paths or not inside or mapping.settings.format == "cloudevents":
        return "undecoded"
    return _INSIDE


_INSIDE = """
case
    when undecoded is not null then undecoded
    when value is null and base64 is null then 'the message has no value (a tombstone)'
    when value is null then 'the value is no UTF-8 text'
    when not json_valid(value) then 'the value is no valid JSON'
end
"""

_RECORDS = f"""
create temp table record as
select
    "offset",
    value,
    base64,
    undecoded,
    '{{"key":' || coalesce(to_json(key)::varchar, 'null')
        || ',"headers":{{"{IDENTITY}":' || to_json(id)::varchar
        || case when headers is null or headers = '{{}}' then '}}' else ',' || headers[2:] end
        || ',"topic":' || coalesce(to_json(topic)::varchar, 'null')
        || ',"partition":' || coalesce("partition"::varchar, 'null')
        || ',"offset":' || coalesce("offset"::varchar, 'null')
        || ',"timestamp":' || coalesce(
            strftime(epoch_ms(milliseconds), '"%Y-%m-%dT%H:%M:%S.%fZ"'), 'null'
        )
        -- Last, because what is rejected is kept up to some length.
        || ',"value":' || case
            when value is null then 'null'
            when json_valid(value) then value
            else to_json(value)::varchar
        end
        || case when base64 is null then '' else ',"base64":"' || base64 || '"' end
        || '}}' as record
from message
"""
