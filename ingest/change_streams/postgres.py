"""Changes of PostgreSQL through a logical replication slot, read with plain SQL."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial

import polars as pl

from ingest.change_streams import Changes, Stream
from ingest.databases import Database, connected
from ingest.mapping import hardened
from ingest.source import Secret
from miner.errors import SourceRefusedError

PLUGINS = ("wal2json", "test_decoding")
"""What turns the log into text, the better one first; the other one comes with PostgreSQL."""
OPTIONS = {
    "wal2json": "'format-version', '2', 'include-timestamp', 'true', 'include-transaction', 'true'",
    "test_decoding": "'include-timestamp', 'true', 'include-xids', 'true'",
}


def slot_changes(
    url: Secret, slot: str, tables: Sequence[str], after: str | None, page: int
) -> Stream:
    """Yield all changes that are there now, whole transactions; those before `after` are left out.

    Makes the slot if there is none. Changes stay in the log of the server until `confirm` was
    called on what was yielded.
    """
    plugin = _slot(url, slot)
    with connected(url, read_only=False) as database:
        query = (
            "select lsn::text, xid::text, data from pg_logical_slot_peek_changes("
            f":slot::text::name, null, null, {OPTIONS[plugin]})"
        )
        held = pl.DataFrame()
        for frame in database.frames(query, batch=page, parameters={"slot": slot}):
            rows = pl.concat([held, frame]) if held.height else frame
            ends = rows["data"].str.contains(r'^COMMIT |"action":"C"').arg_true()
            if ends.is_empty():
                held = rows
                continue
            whole, held = rows.head(ends[-1] + 1), rows.slice(ends[-1] + 1)
            end = str(whole["lsn"][-1])
            records = _records(whole, plugin, tables, after)
            yield Changes(records, {"lsn": end}, partial(_confirm, url, slot, end))


def _slot(url: Secret, slot: str) -> str:
    """The plugin of the slot, which is made if it is not there."""
    with connected(url, read_only=False) as database:
        known = database.rows(
            "select plugin::text, database::text = current_database() from pg_replication_slots "
            "where slot_name = :slot::text",
            {"slot": slot},
        )
        if known:
            [(plugin, here)] = known
            if plugin not in PLUGINS or not here:
                raise SourceRefusedError(
                    f"The replication slot {slot!r} belongs to something else ({plugin}).",
                    hint="Name another one with --slot.",
                )
            return str(plugin)
    return _made(url, slot)


def _made(url: Secret, slot: str) -> str:
    for plugin in PLUGINS:
        try:
            with connected(url, read_only=False) as database:
                _create(database, slot, plugin)
                return plugin
        except SourceRefusedError as error:
            if "wal2json" not in error.message:
                raise
    raise SourceRefusedError(
        "The server has neither wal2json nor test_decoding.",
        hint="Install the package with the server's contributed modules.",
    )


def _create(database: Database, slot: str, plugin: str) -> None:
    make = "select slot_name::text from pg_create_logical_replication_slot(:slot::text::name, "
    try:
        database.rows(f"{make}:plugin::text::name)", {"slot": slot, "plugin": plugin})
        database.commit()
    except SourceRefusedError as error:
        if "wal_level" in error.message:
            raise SourceRefusedError(
                error.message, hint="Set wal_level = logical on the server and start it again."
            ) from None
        raise


def _confirm(url: Secret, slot: str, position: str) -> None:
    with connected(url, read_only=False) as database:
        database.rows(
            "select end_lsn::text from pg_replication_slot_advance(:slot::text::name, "
            ":position::text::pg_lsn)",
            {"slot": slot, "position": position},
        )
        database.commit()


def _number(position: str) -> int:
    high, low = position.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def _records(rows: pl.DataFrame, plugin: str, tables: Sequence[str], after: str | None) -> bytes:
    """The records of whole transactions."""
    read = _wal2json if plugin == "wal2json" else _test_decoding
    changes = read(rows)
    if after is not None:
        seen = pl.Series(
            [_number(end) <= _number(after) for end in changes["end"]], dtype=pl.Boolean
        )
        changes = changes.filter(~seen)
    if tables:
        plain = [name.removeprefix("public.") for name in tables]
        changes = changes.filter(pl.col("table").str.strip_prefix("public.").is_in(plain))
    return "\n".join(changes["record"]).encode()


def _numbered(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with the number of the transaction's change, and the position of its end."""
    return rows.with_columns(
        pl.col("lsn").last().over("xid").alias("end"),
        pl.int_range(pl.len()).over("xid").alias("number"),
    )


def _wal2json(rows: pl.DataFrame) -> pl.DataFrame:
    """The changes that wal2json wrote, as `record`, `table` and `end`."""
    with hardened() as connection:
        connection.register("logged", _numbered(rows))
        changes: pl.DataFrame = connection.sql(_RECORDS_OF_WAL2JSON).pl()
    return changes


_OBJECT = """
    case when json_array_length(data, '{0}') > 0 then
        '{{' || array_to_string(list_transform(
            list_zip(json_extract(data, '{0}[*].name'), json_extract(data, '{0}[*].value')),
            lambda pair: pair[1]::varchar || ':' || coalesce(pair[2]::varchar, 'null')
        ), ',') || '}}'
    end"""

_RECORDS_OF_WAL2JSON = f"""
with change as (
    select
        "end",
        json_extract_string(data, '$.schema') || '.' || json_extract_string(data, '$.table')
            as "table",
        {_OBJECT.format("$.columns")} as fields,
        {_OBJECT.format("$.identity")} as previous,
        json_object(
            'kind', case json_extract_string(data, '$.action')
                when 'I' then 'insert' when 'U' then 'update' else 'delete' end,
            'at', strftime(make_timestamp(epoch_us(
                json_extract_string(data, '$.timestamp')::timestamptz)), '%Y-%m-%dT%H:%M:%S.%fZ'),
            'table', "table", 'id', lsn || ':' || number, 'transaction', xid
        )::varchar as change,
        row_number() over () as place
    from logged
    where json_extract_string(data, '$.action') in ('I', 'U', 'D')
)
select
    "end",
    "table",
    left(coalesce(fields, previous), -1) || ',"change":' || change
        || ',"previous":' || coalesce(previous, 'null') || '}}' as record
from change
order by place
""".replace("}}'", "}'")


_NAME = r"((?:\"(?:[^\"]|\"\")*\"|[^.:\s])+)"
CHANGE = re.compile(rf"table {_NAME}\.{_NAME}: (INSERT|UPDATE|DELETE): (.*)", re.DOTALL)
FIELD = re.compile(r"(\"(?:[^\"]|\"\")*\"|[^\s\[]+)\[((?:[^\[\]]|\[\])*)\]:('(?:[^']|'')*'|\S+)")
NUMBERS = ("integer", "bigint", "smallint", "numeric", "double precision", "real", "oid")


def _test_decoding(rows: pl.DataFrame) -> pl.DataFrame:
    """The changes that test_decoding wrote, as `record`, `table` and `end`."""
    times = rows["data"].str.extract(r"^COMMIT .*\(at (.*)\)$").fill_null(strategy="backward")
    found = list(_decoded(_numbered(rows).with_columns(times.alias("at"))))
    schema = {"record": pl.String, "table": pl.String, "end": pl.String}
    return pl.DataFrame(found, schema=schema, orient="row")


def _decoded(rows: pl.DataFrame) -> Iterator[tuple[str, str, str]]:
    columns = ("lsn", "xid", "data", "end", "number", "at")
    for lsn, xid, data, end, number, at in rows.select(columns).iter_rows():
        match = CHANGE.match(data)
        if match is None:
            continue
        table = f"{_plain(match[1])}.{_plain(match[2])}"
        previous, fields = _rows_in(match[4])
        instant = datetime.fromisoformat(at).astimezone(UTC)
        record = fields | {
            "change": {
                "kind": match[3].lower(),
                "at": instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "table": table,
                "id": f"{lsn}:{number}",
                "transaction": xid,
            },
            "previous": fields if match[3] == "DELETE" else previous,
        }
        yield json.dumps(record, ensure_ascii=False), table, end


def _rows_in(text: str) -> tuple[dict[str, object] | None, dict[str, object]]:
    """The row before the change, where it is there, and the row."""
    previous: dict[str, object] | None = None
    fields: dict[str, object] = {}
    at = 0
    while at < len(text):
        if text.startswith("old-key: ", at):
            at += len("old-key: ")
        elif text.startswith("new-tuple: ", at):
            at, previous, fields = at + len("new-tuple: "), fields, {}
        elif match := FIELD.match(text, at):
            fields[_plain(match[1])] = _value(match[2], match[3])
            at = match.end()
        else:
            at += 1
    return previous, fields


def _value(kind: str, text: str) -> object:
    if text in ("null", "unchanged-toast-datum", "(no-tuple-data)"):
        return None
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    if kind == "boolean":
        return text == "true"
    if kind in NUMBERS and re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text) if "." in text else int(text)
    return text


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
