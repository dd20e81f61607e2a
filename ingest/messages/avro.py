"""Avro values as JSON, each by the schema that it was written with."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from io import BytesIO
from typing import Any

from ingest.messages.schema_registry import OF_FILE
from miner.errors import InputError


def as_json(
    values: Iterable[str | None], schemas: dict[int, list[str]]
) -> tuple[list[str | None], list[str | None]]:
    """Values in base64 as JSON text, and for each the reason why it could not be decoded, if any.

    Instants become ISO 8601 in UTC, exact decimals and identifiers text, bytes text where they are
    UTF-8 and base64 elsewhere. `schemas` holds for each number a schema after those it refers to.
    """
    parsed = {number: _parsed(texts) for number, texts in schemas.items()}
    found: list[str | None] = []
    reasons: list[str | None] = []
    for value in values:
        text, reason = (None, None) if value is None else _decoded(value, parsed)
        found.append(text)
        reasons.append(reason)
    return found, reasons


def _parsed(texts: list[str]) -> Any:
    """The last schema of the list, parsed; null when there is none that can be."""
    import fastavro

    names: dict[str, Any] = {}
    schema: Any = None
    try:
        for text in texts:
            schema = fastavro.parse_schema(json.loads(text), named_schemas=names)
    except (ValueError, fastavro.schema.SchemaParseException, fastavro.schema.UnknownType):
        return None
    return schema


def _decoded(value: str, parsed: dict[int, Any]) -> tuple[str | None, str | None]:
    import fastavro

    data = base64.b64decode(value)
    if OF_FILE in parsed:
        # Two bytes and a digest are Avro's own envelope for a single object.
        number, body = OF_FILE, data[10:] if data[:2] == b"\xc3\x01" else data
    elif data[:1] == b"\0" and len(data) > 4:
        number, body = int.from_bytes(data[1:5], "big"), data[5:]
    else:
        return None, "the value does not begin with the number of its Avro schema"
    schema = parsed.get(number)
    if schema is None:
        return None, f"there is no Avro schema {number}, or it cannot be used"
    stream = BytesIO(body)
    try:
        read = fastavro.schemaless_reader(stream, schema)
        text = json.dumps(read, default=_as_text, ensure_ascii=False)
    except (EOFError, ValueError, IndexError, TypeError, OverflowError) as error:
        said = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        return None, f"the value does not fit Avro schema {number}: {said}"
    if stream.tell() != len(body):
        return None, f"the value is longer than Avro schema {number} says"
    return text, None


def _as_text(value: object) -> str:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        instant = value.astimezone(UTC) if value.tzinfo else value
        return instant.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)  # decimals, identifiers, durations


def check_schema(text: str, name: str) -> None:
    """Raise InputError when the text of a schema file is no Avro schema."""
    if _parsed([text]) is None:
        raise InputError(
            f"{name!r} holds no Avro schema.", hint="Give the schema as JSON, as in a .avsc file."
        )
