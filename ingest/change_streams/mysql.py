"""Changes of MySQL and MariaDB from the binary log."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from ingest.change_streams import Changes, Stream
from ingest.databases import CONNECT_SECONDS, connected
from ingest.databases.errors import translated
from ingest.source import Secret
from miner.errors import MissingPackageError, SourceRefusedError

INSTANTS = (7, 17)
"""Types of columns TIMESTAMP."""
KINDS = {"WriteRowsEvent": "insert", "UpdateRowsEvent": "update", "DeleteRowsEvent": "delete"}


def binlog_changes(
    url: Secret, server_id: int, tables: Sequence[str], after: Mapping[str, Any], page: int
) -> Stream:
    """Yield the changes in the binary logs from a position on, or from the oldest log there is."""
    try:
        from pymysqlreplication import BinLogStreamReader
        from pymysqlreplication.event import QueryEvent, XidEvent
        from pymysqlreplication.row_event import DeleteRowsEvent, UpdateRowsEvent, WriteRowsEvent
    except ImportError as error:
        raise MissingPackageError("Following MySQL", "mysql-replication", "sql") from error
    address = str.__str__(url)
    file, place = _start(url, after)
    with translated(address):
        stream = BinLogStreamReader(
            connection_settings={**_settings(address), "database": None},
            server_id=server_id,
            only_events=[WriteRowsEvent, UpdateRowsEvent, DeleteRowsEvent, QueryEvent, XidEvent],
            only_schemas=_schemas(address, tables),
            log_file=file,
            log_pos=place,
            resume_stream=True,
            blocking=False,
            # By positions, which both databases know; MariaDB proper would mean its own numbers.
            is_mariadb=False,
            pymysql_wrapper=_connection,
        )
    try:
        yield from _gathered(_translated(stream, address), stream, set(tables), page)
    finally:
        stream.close()


def _schemas(address: str, tables: Sequence[str]) -> list[str] | None:
    """The databases that the tables are in; null if that may be any."""
    own = _settings(address)["database"]
    named = {name.split(".")[0] for name in tables if "." in name}
    if not all("." in name for name in tables) or not tables:
        if not own:
            return None
        named.add(own)
    return sorted(named)


def _connection(*, db: str | None = None, **given: Any) -> Any:
    """A connection; the reader of the log uses an old word for the database."""
    import pymysql

    return pymysql.connect(**{**given, "database": db})


def _gathered(events: Iterator[Any], stream: Any, tables: set[str], page: int) -> Stream:
    """Whole transactions, several together: `page` changes or a few more."""
    lines: list[str] = []
    whole, position = 0, None
    for event in events:
        if type(event).__name__ == "QueryEvent" and event.query != "COMMIT":
            continue  # a statement that changed no rows
        if type(event).__name__ in ("QueryEvent", "XidEvent"):  # engines with and without undo
            whole = len(lines)
            position = {"file": stream.log_file, "place": stream.log_pos}
            if whole >= page:
                yield Changes("\n".join(lines).encode(), position)
                lines, whole, position = [], 0, None
            continue
        if not tables or {event.table, f"{event.schema}.{event.table}"} & tables:
            lines += _records(event, stream)
    if position is not None:
        yield Changes("\n".join(lines[:whole]).encode(), position)


def _translated(stream: Any, address: str) -> Iterator[Any]:
    found = iter(stream)
    while True:
        with translated(address):
            event = next(found, None)
        if event is None:
            return
        yield event


def _records(event: Any, stream: Any) -> Iterator[str]:
    at = datetime.fromtimestamp(event.timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    instants = {column.name for column in event.columns if column.type in INSTANTS}
    for number, row in enumerate(event.rows):
        fields = row.get("after_values", row.get("values"))
        previous = row.get("before_values")
        kind = KINDS[type(event).__name__]
        if any(name.startswith("UNKNOWN_COL") for name in fields):
            raise SourceRefusedError(
                f"The binary log has no names of the columns of {event.table}.",
                hint="Set binlog_row_metadata = FULL on the server; later changes have them.",
            )
        record = _known(fields, instants)
        record["change"] = {
            "kind": kind,
            "at": at,
            "table": f"{event.schema}.{event.table}",
            "id": f"{stream.log_file}:{event.packet.log_pos}:{number}",
            "transaction": None,
        }
        before = fields if kind == "delete" else previous
        record["previous"] = None if before is None else _known(before, instants)
        yield json.dumps(record, ensure_ascii=False)


def _known(fields: Mapping[str, Any], instants: set[str]) -> dict[str, Any]:
    """The fields as JSON values; the log has the columns `instants` in UTC."""
    return {
        name: f"{value.isoformat()}Z" if name in instants and value else _value(value)
        for name, value in fields.items()
    }


def _value(value: Any) -> Any:
    if isinstance(value, date):  # and datetime
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, timedelta | set | frozenset):
        return str(value)
    return value


def _start(url: Secret, after: Mapping[str, Any]) -> tuple[str, int]:
    """The file and the place in it to begin at."""
    with connected(url) as database:
        logs = [row[0] for row in database.rows("show binary logs")]
        [(form,)] = database.rows("select @@global.binlog_format as form")
    if form != "ROW":
        raise SourceRefusedError(
            f"The server logs statements, not rows (binlog_format = {form}).",
            hint="Set binlog_format = ROW and binlog_row_metadata = FULL on the server.",
        )
    file = after.get("file", logs[0])
    if file not in logs:
        raise SourceRefusedError(
            f"The binary log {file!r}, in which reading ended, is gone.",
            hint="Changes were lost: load the tables with `sql` once, and let the server keep its "
            "logs longer (binlog_expire_logs_seconds).",
        )
    return file, after.get("place", 4)


def _settings(url: str) -> dict[str, Any]:
    from sqlalchemy import make_url

    address = make_url(url)
    return {
        "host": address.host or "127.0.0.1",
        "port": address.port or 3306,
        "user": address.username or "",
        "password": address.password or "",
        "database": address.database,
        "connect_timeout": CONNECT_SECONDS,
    }
