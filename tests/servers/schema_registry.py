"""A schema registry that answers what the interface of Confluent's is documented to answer."""

from __future__ import annotations

import json
import struct
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from tests.ingest.local_server import Answer, Request, answering

ORDER = {
    "type": "record",
    "name": "Order",
    "fields": [
        {"name": "order", "type": "string"},
        {"name": "step", "type": {"type": "enum", "name": "Step", "symbols": ["A", "B"]}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9,
                                    "scale": 2}},
    ],
}  # fmt: skip
"""A schema of Avro."""
LATER = {
    "type": "record",
    "name": "Order",
    "fields": [*ORDER["fields"], {"name": "worker", "type": "Person"}],
}
"""The next version, which refers to another schema."""
PERSON = {"type": "record", "name": "Person", "fields": [{"name": "name", "type": "string"}]}


def avro(number: int, value: dict[str, Any], *schemas: Any) -> bytes:
    """A value as Confluent's serializers write it."""
    import fastavro

    names: dict[str, Any] = {}
    parsed = [fastavro.parse_schema(schema, named_schemas=names) for schema in schemas][-1]
    body = BytesIO()
    fastavro.schemaless_writer(body, parsed, value)
    return b"\0" + struct.pack(">I", number) + body.getvalue()


@dataclass
class Registry:
    """Its address, and the schemas that it has, by number and by subject."""

    address: str = ""
    schemas: list[dict[str, Any]] = field(default_factory=list)
    subjects: dict[str, list[int]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def register(self, subject: str, schema: object, references: Sequence[object] = ()) -> int:
        """Add a version of a subject; its number."""
        self.schemas.append({"schema": json.dumps(schema), "references": list(references)})
        self.subjects.setdefault(subject, []).append(len(self.schemas))
        return len(self.schemas)

    def answer(self, request: Request, login: tuple[str, str] | None) -> Answer:
        """What is answered to a request."""
        self.asked.append(request.path)
        if login:
            wanted = "Basic " + b64encode(":".join(login).encode()).decode()
            if request.headers.get("Authorization") != wanted:
                return Answer({"error_code": 401, "message": "Unauthorized"}, 401)
        parts = request.path.strip("/").split("/")
        if parts == ["schemas", "types"]:
            return Answer(["JSON", "PROTOBUF", "AVRO"])
        if parts[:2] == ["schemas", "ids"] and int(parts[2]) <= len(self.schemas):
            return Answer(self.schemas[int(parts[2]) - 1])
        if len(parts) == 4 and (parts[0], parts[2]) == ("subjects", "versions"):
            number = self.subjects[parts[1]][int(parts[3]) - 1]
            about = {"subject": parts[1], "version": int(parts[3]), "id": number}
            return Answer(about | self.schemas[number - 1])
        return Answer({"error_code": 40403, "message": "Schema not found"}, 404)


@contextmanager
def serve(login: tuple[str, str] | None = None) -> Iterator[Registry]:
    """A registry without schemas; with a `login` it answers nobody else."""
    registry = Registry()
    with answering(lambda request: registry.answer(request, login)) as server:
        registry.address = server.address
        yield registry
