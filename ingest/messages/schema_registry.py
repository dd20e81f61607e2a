"""Avro schemas: from a registry by the numbers that values name, or from a file for all values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest import http
from ingest.messages import schema_line
from ingest.source import Secret
from miner.errors import InputError, SourceRefusedError

OF_FILE = -1
"""The number of the schema that a file holds."""


@dataclass(frozen=True)
class Schemas:
    """Schemas as lines for pages, each asked for once."""

    api: http.Client | None = None
    known: dict[int, bytes] = field(default_factory=dict)

    def number(self, value: bytes) -> int | None:
        """The schema that a value was written with; null when the value does not say."""
        if self.api is None:
            return OF_FILE
        return int.from_bytes(value[1:5], "big") if value[:1] == b"\0" and len(value) > 4 else None

    def line(self, number: int) -> bytes:
        """The schema as a line; one without text when the registry does not have it."""
        if number not in self.known:
            assert self.api is not None
            self.known[number] = schema_line(number, _texts(self.api, number))
        return self.known[number]


@contextmanager
def schemas_of(file: str, registry: str, user: str, password: Secret) -> Iterator[Schemas]:
    """The schemas of a file (plain Avro), else of the registry at an address."""
    from ingest.messages.avro import check_schema

    if file:
        text = _text_of(file)
        check_schema(text, file)
        yield Schemas(known={OF_FILE: schema_line(OF_FILE, [text])})
        return
    if not registry:
        raise InputError(
            "Avro records cannot be read without their schemas.",
            hint="Name the schema registry with --registry, or a file with --schema.",
        )
    with http.client(registry, basic=(user, password) if user else None) as api:
        yield Schemas(api)


def _texts(api: http.Client, number: int) -> list[str]:
    try:
        found = api.get(f"schemas/ids/{number}")
    except SourceRefusedError:
        api.get("schemas/types")  # raises when this is no registry, or none for this user
        return []
    return _with_referred(api, found, set())


def _with_referred(api: http.Client, found: Any, met: set[tuple[str, int]]) -> list[str]:
    """The text of a schema after those that it refers to, each once."""
    if not isinstance(found, dict) or not isinstance(found.get("schema"), str):
        raise SourceRefusedError(
            f"The schema registry answered something that is no schema: {str(found)[:80]}.",
            hint="Check --registry: it is the address of the interface, as http://host:8081.",
        )
    if found.get("schemaType", "AVRO") != "AVRO":
        return []
    texts: list[str] = []
    for reference in found.get("references") or []:
        where = reference["subject"], reference["version"]
        if where not in met:
            met.add(where)
            referred = api.get(f"subjects/{where[0]}/versions/{where[1]}")
            texts += _with_referred(api, referred, met)
    return [*texts, found["schema"]]


def _text_of(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The schema {file!r} cannot be read: {error}.") from None
