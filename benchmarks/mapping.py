"""Records for mappings: orders as rows of CSV, rows of a database, objects of an API, changes."""

from __future__ import annotations

import io
import json
import tempfile
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.decoding import Recorded
from ingest.mapping import MappingFile
from ingest.source import Secret
from ingest.sources.csv import CsvFile
from ingest.sources.rest import RestApi
from ingest.sources.sql import SqlDatabase
from ingest.sources.sql_changes import SqlChanges

MAPPING = """
case = "order"
event_id = "id"
activity = "'Order ' || status"
timestamp = "at"
resource = "worker"
resource_kind = "case when worker = 'bot' then 'system' else 'human' end"
attempt = "attempt"
process_version = "release"

[attributes]
amount = "amount::double"
"""
CHANGES = """
case = "order"
activity = "'Status ' || status"
timestamp = "change.at"
when = "change.kind <> 'delete' and status is distinct from previous.status"
"""
STATUS = ("open", "paid", "packed", "sent", "closed")
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def csv(events: int) -> Recorded:
    text = _rows(events).with_columns(pl.col("at").dt.strftime("%Y-%m-%dT%H:%M:%S.%3fZ"))
    raw = text.write_csv().encode()

    def decode(raw: bytes) -> pl.DataFrame:
        with tempfile.NamedTemporaryFile(suffix=".csv") as file:
            file.write(raw)
            file.flush()
            return pl.concat(CsvFile(file.name, mapping=_file("mapping", MAPPING)).read())

    return Recorded(raw, decode)


def rest(events: int) -> Recorded:
    rows = _rows(events).with_columns(pl.col("at").dt.strftime("%Y-%m-%dT%H:%M:%S.%3fZ"))
    request = '\n[request]\nurl = "https://example.org"\n'
    source = RestApi(_file("request", MAPPING + request))
    return Recorded(rows.write_ndjson().encode(), source.decode)


def sql(events: int) -> Recorded:
    buffer = io.BytesIO()
    _rows(events).write_ipc_stream(buffer, compression="lz4")
    source = SqlDatabase(Secret(""), _file("mapping", MAPPING), table="orders")
    return Recorded(buffer.getvalue(), source.decode)


def sql_changes(events: int) -> Recorded:
    def record(i: int) -> dict[str, Any]:
        at = _BEGIN + timedelta(seconds=i)
        return {
            "order": i // 5,
            "status": STATUS[i % 5],
            "worker": f"w{i % 50}",
            "change": {
                "kind": "update",
                "at": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "table": "public.orders",
                "id": f"0/{i:X}:1",
                "transaction": str(i),
            },
            "previous": {"order": i // 5, "status": STATUS[(i + 4) % 5], "worker": "w"},
        }

    raw = "\n".join(json.dumps(record(i)) for i in range(events)).encode()
    return Recorded(raw, SqlChanges(Secret(""), _file("changes", CHANGES)).decode)


def _rows(events: int) -> pl.DataFrame:
    i = pl.int_range(events, eager=True)
    return pl.DataFrame({"id": i}).with_columns(
        (pl.col("id") // 5).alias("order"),
        pl.Series("status", [STATUS[n % 5] for n in range(events)]),
        (pl.lit(_BEGIN) + pl.duration(milliseconds=pl.col("id") * 1001)).alias("at"),
        pl.when(pl.col("id") % 3 == 0)
        .then(pl.lit("bot"))
        .otherwise(pl.format("w{}", pl.col("id") % 50))
        .alias("worker"),
        (pl.col("id") % 3 + 1).alias("attempt"),
        pl.lit("v1.2").alias("release"),
        (pl.col("id") / 4).alias("amount"),
    )


@cache
def _file(name: str, text: str) -> MappingFile:
    path = Path(tempfile.mkdtemp(prefix="mapping-")) / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return MappingFile(path)
