"""Lines of JSON in a temporary table, and the columns their fields are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import duckdb

from ingest.sql import literal
from ingest.tables.columns import CASE_PREFIX, Column, Roles
from ingest.tables.event_tables import EventTable, json_object
from ingest.tables.text_files import TextFile, path_in_sql, with_newlines
from ingest.workplace import Workplace
from miner.errors import LogFormatError, UnknownNameError

LONGEST_LINE = 8_000_000
UNUSED = "\x01"
"""A character that JSON does not allow, so that DuckDB takes each line for one value."""
LINES_LOOKED_AT = 2_000
"""Lines whose fields are known by name, nested ones too; others go to the attributes unseen."""
DEEPEST = 3

USABLE = "json_valid(line) and json_type(line) = 'OBJECT'"
BROKEN = """
case
    when not json_valid(line) then 'not valid JSON'
    when json_type(line) <> 'OBJECT' then 'no JSON object'
end
"""

REJECTED = f"""
select
    case
        when bool_or(error_type = 'LINE SIZE OVER MAXIMUM') then 'longer than {LONGEST_LINE} bytes'
        when bool_or(error_type = 'INVALID ENCODING') then 'not in the encoding of the file'
        else 'not valid JSON'
    end as reason,
    left(min(csv_line), 65536) as record
from {{errors}}
group by line_byte_position
"""


@dataclass(frozen=True)
class JsonTable(EventTable):
    """Events as JSON objects, one per line."""

    lines: str = ""
    pointers: Mapping[str, str] = field(default_factory=dict)
    """Where the field of a column is, by the column's name: a JSON pointer (RFC 6901)."""

    def prepared(self, workplace: Workplace, roles: Roles) -> tuple[EventTable, Roles]:
        """A table of the fields that have a role: each line is parsed once for all of them."""
        used = list({column.name: column for column in roles.columns.values()}.values())
        settled = {column.name: replace(column, sql=f"c{i}") for i, column in enumerate(used)}
        pointers = ", ".join(literal(self.pointers[column.name]) for column in used)
        values = ", ".join(f"field[{i + 1}] as c{i}" for i in range(len(used)))
        table = workplace.table("field")
        workplace.connection.execute(
            f"""
            create temp table {table} as
            select line, broken, {values}
            from (
                select
                    *,
                    case
                        when broken is null then json_extract_string(line, [{pointers}])
                    end as field
                from (select line, {BROKEN} as broken from {self.lines}) as checked
            ) as parsed
            """
        )
        workplace.connection.execute(f"drop table {self.lines}")
        relation = f"(select *, rowid + 1 as row_number from {table}) as line"
        columns = {role: settled[column.name] for role, column in roles.columns.items()}
        return replace(self, relation=relation), replace(roles, columns=columns)

    def attributes(self, used: Sequence[Column]) -> str | None:
        """SQL for what the object holds besides; fields inside others stay where they are."""
        names = [column.name for column in used if self.pointers[column.name].count("/") == 1]
        names += [c.name for c in self.columns if c.name.startswith(CASE_PREFIX)]
        gone = literal(json.dumps(dict.fromkeys(names), ensure_ascii=False))
        rest = f"json_merge_patch(json_merge_patch('{{}}', line), {gone})"
        return f"case when broken is null then nullif({rest}::varchar, '{{}}') end"

    def _json(self, column: Column) -> str:
        return f"json_extract(line, {literal(self.pointers[column.name])})"

    def case_attributes(self, used: Sequence[Column]) -> str | None:
        """SQL for the fields that begin with `case:`, on any line."""
        taken = {column.name for column in used}
        members = json_object(
            (
                column.name.removeprefix(CASE_PREFIX),
                Column(
                    column.name,
                    f"json_extract(line, {literal(self.pointers[column.name])})",
                    "JSON",
                ),
            )
            for column in self.columns
            if column.name not in taken and column.name.startswith(CASE_PREFIX)
        )
        return members and f"case when broken is null then {members} end"


def stage_lines(
    text: TextFile, path: str, workplace: Workplace
) -> tuple[TextFile, str, str | None]:
    """The lines of a text as a table with the column `line`, and a SELECT of what was rejected.

    LogFormatError if no line is a JSON object.
    """
    connection = workplace.connection
    try:
        lines, errors = _read_lines(text, workplace)
    except duckdb.InvalidInputException:  # lines that end in different ways
        text = with_newlines(text, workplace.folder)
        lines, errors = _read_lines(text, workplace)
    if not connection.sql(f"select 1 from {lines} where {USABLE} limit 1").fetchall():
        first = text.sample.strip().splitlines()[0][:100]
        raise LogFormatError(
            f"No line of {path!r} is a JSON object; the first is {first!r}.",
            hint="Each line has to be an object of its own: jq -c . FILE writes them so.",
        )
    [(some,)] = connection.sql(f"select count(*) > 0 from {errors}").fetchall()
    return text, lines, REJECTED.format(errors=errors) if some else None


def _read_lines(text: TextFile, workplace: Workplace) -> tuple[str, str]:
    """The names of a table of lines and of one of what DuckDB rejected."""
    lines, errors, scans = (workplace.table(purpose) for purpose in ("line", "error", "scan"))
    workplace.connection.execute(
        f"""
        create temp table {lines} as
        select line from read_csv(
            {path_in_sql(text.path, workplace.folder)},
            auto_detect = false, columns = {{line: 'varchar'}}, header = false,
            delim = {literal(UNUSED)}, quote = '', escape = '', compression = 'none',
            max_line_size = {LONGEST_LINE}, buffer_size = {4 * LONGEST_LINE},
            hive_partitioning = false, store_rejects = true, rejects_limit = 0,
            rejects_table = {literal(errors)}, rejects_scan = {literal(scans)}
        )
        where trim(line, ' ' || chr(9)) <> ''
        """
    )
    return lines, errors


def json_table(
    connection: duckdb.DuckDBPyConnection, lines: str, rejected: str | None, given: Sequence[str]
) -> JsonTable:
    """The table of the objects in `lines`, with the fields that are known by name as columns."""
    pointers = _fields(connection, lines)
    late = connection.sql(
        f"""
        select distinct unnest(json_keys(line)) as name
        from {lines}
        where contains(line, '"{CASE_PREFIX}') and {USABLE}
        order by name
        """
    ).fetchall()
    for (name,) in late:
        if name.startswith(CASE_PREFIX):
            pointers.setdefault(name, _joined([name]))
    for name in given:
        if name not in pointers:
            pointers[name] = _given(connection, lines, name, list(pointers))
    return JsonTable(
        relation=f"(select * from {lines} where {USABLE}) as line",
        columns=tuple(
            Column(name, f"json_extract_string(line, {literal(pointer)})")
            for name, pointer in pointers.items()
        ),
        position="row_number",
        record="line",
        broken="broken",
        rejected=rejected,
        lines=lines,
        pointers=pointers,
    )


def _fields(connection: duckdb.DuckDBPyConnection, lines: str) -> dict[str, str]:
    """The names of fields, nested ones with dots, and where they are; in order of appearance."""
    found: dict[str, str] = {}
    first = connection.sql(
        f"select line from {lines} where {USABLE} limit {LINES_LOOKED_AT}"
    ).fetchall()
    for (line,) in first:
        try:
            members = list(_members(json.loads(line), []))
        except (ValueError, RecursionError):  # DuckDB is more lenient; the fields stay unnamed
            continue
        for path in members:
            found.setdefault(".".join(path), _joined(path))
    return found


def _members(value: dict[str, Any], above: list[str]) -> Iterator[list[str]]:
    for name, inner in value.items():
        if isinstance(inner, dict) and inner and len(above) < DEEPEST:
            yield from _members(inner, [*above, name])
        else:
            yield [*above, name]


def _given(connection: duckdb.DuckDBPyConnection, lines: str, name: str, known: list[str]) -> str:
    """Where the field a user named is, which the first lines lack: by one name, or by a path."""
    for path in ([name], name.split(".")):
        pointer = _joined(path)
        there = f"{USABLE} and json_exists(line, {literal(pointer)})"
        if connection.sql(f"select 1 from {lines} where {there} limit 1").fetchall():
            return pointer
    raise UnknownNameError("column", name, known)


def _joined(path: Sequence[str]) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)
