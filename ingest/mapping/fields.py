"""Fields of records: columns of a table, or paths into JSON."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from ingest.mapping.values import Path, Value, column_for
from ingest.sql import literal
from ingest.tables.columns import Column
from ingest.tables.event_tables import json_object
from miner.errors import InputError, UnknownNameError

ENVELOPE = ("value", "key", "headers", "topic", "partition", "offset", "timestamp")
"""The names of a message's own fields."""
HEADER_STYLES = ("ce_{}", "ce-{}", "cloudEvents:{}", "cloudEvents_{}")
"""How bindings of CloudEvents write the names of attributes in headers."""


class Fields(Protocol):
    """Where the fields of a kind of record are found."""

    def path_of(self, value: Value) -> Path | None:
        """The field that a value is; None if it is an expression."""

    def relation(self, paths: Collection[Path], typed: Collection[Path], given: str) -> str:
        """What follows `from`: a relation with a column for each field, see `column_for`.

        Fields among `typed` are there once more as JSON, see `json_column_for`.
        """

    def types(self, paths: Collection[Path], values: Mapping[Path, Value]) -> dict[Path, str]:
        """The DuckDB types of the columns; InputError if there is no such field."""

    def record(self) -> str:
        """SQL for the record as text."""


def json_column_for(path: Path) -> str:
    """The name of the column that holds a field as JSON."""
    return f"json_{column_for(path)}"


@dataclass(frozen=True)
class TableFields:
    """Fields of a table: its columns, and what is inside of columns of JSON or structures."""

    columns: tuple[Column, ...]
    row: str | None
    name: str

    def path_of(self, value: Value) -> Path | None:
        """The column if it is called so; else the path, if its beginning is a column."""
        if self._column(value.text) is not None:
            return (value.text,)
        if value.path is None:
            return None
        if value.sql is None or self._found(value.path) is not None:
            return value.path
        # `amount-tax` may be the name of a field, and the difference of two.
        return None if value.fields != (value.path,) else value.path

    def relation(self, paths: Collection[Path], typed: Collection[Path], given: str) -> str:
        """The columns that are fields, and the row as JSON."""
        found = {path: self._value(path) for path in paths}
        chosen = [f"{sql} as {column_for(path)}" for path, (sql, _) in found.items()]
        chosen += [
            f"{found[path][0]} as {json_column_for(path)}" for path in typed if path in found
        ]
        return f"(select *, {', '.join(chosen)} from {given})"

    def types(self, paths: Collection[Path], values: Mapping[Path, Value]) -> dict[Path, str]:
        """The DuckDB types of the columns; InputError if there is no such column."""
        types = {}
        for path in paths:
            if path != ("record",) and self._found(path) is None:
                value = values[path]
                error = UnknownNameError(
                    "column", ".".join(path), [column.name for column in self.columns]
                )
                raise InputError(
                    f"{self.name}, line {value.line}: {value.key}: {error.message[:1].lower()}"
                    f"{error.message[1:]}",
                    hint=error.hint,
                )
            types[path] = self._value(path)[1]
        return types

    def record(self) -> str:
        """SQL for the row as text."""
        return self.row or self._whole()

    def _whole(self) -> str:
        return json_object((column.name, column) for column in self.columns) or "null"

    def _column(self, name: str) -> Column | None:
        for column in self.columns:
            if column.name == name:
                if column.repeated:
                    raise InputError(
                        f"Several columns are named {name!r}.", hint="Rename all but one of them."
                    )
                return column
        return None

    def _found(self, path: Path) -> tuple[Column, Path] | None:
        """The column a path begins with, the longest name first, and the rest of the path."""
        for length in range(len(path), 0, -1):
            column = self._column(".".join(path[:length]))
            if column is not None:
                return column, path[length:]
        return None

    def _value(self, path: Path) -> tuple[str, str]:
        """SQL for a field and its type."""
        found = self._found(path)
        if found is None:  # only `record` is no column
            return self._whole(), "VARCHAR"
        column, rest = found
        if not rest:
            return column.sql, column.type
        json = column.sql if column.type in ("VARCHAR", "JSON") else f"to_json({column.sql})"
        return f"try(json_extract_string({json}, {literal(pointer(rest))}))", "VARCHAR"


@dataclass(frozen=True)
class JsonFields:
    """Fields of JSON objects, each the text of a column."""

    line: str
    """The column that holds the object."""
    messages: bool = False
    """Whether objects are messages, whose `value` holds most fields."""
    cloud_events: bool = False

    def path_of(self, value: Value) -> Path | None:
        """The path that a value is, if it may be one."""
        return value.path

    def relation(self, paths: Collection[Path], typed: Collection[Path], given: str) -> str:
        """All fields of an object at once, so that each object is parsed once."""
        wanted: dict[str, int] = {}
        wanted_json: dict[str, int] = {}
        chosen = []
        for path in paths:
            if path == ("record",):
                chosen.append(f"{self.line} as {column_for(path)}")
                continue
            chosen.append(f"{self._first(path, wanted, 'texts')} as {column_for(path)}")
        for path in typed:
            value = self._first(path, wanted_json, "jsons") if path != ("record",) else self.line
            chosen.append(f"{value} as {json_column_for(path)}")
        extracted = []
        for function, name, pointers in (
            ("json_extract_string", "texts", wanted),
            ("json_extract", "jsons", wanted_json),
        ):
            if pointers:
                listed = ", ".join(literal(each) for each in pointers)
                extracted.append(f"{function}({self.line}, [{listed}]) as {name}")
        inner = f"(select {', '.join(['*', *extracted])} from {given} where broken is null)"
        return f"(select {', '.join(['*', *chosen])} from {inner})"

    def types(self, paths: Collection[Path], values: Mapping[Path, Value]) -> dict[Path, str]:
        """All are texts."""
        return dict.fromkeys(paths, "VARCHAR")

    def record(self) -> str:
        """SQL for the object as text."""
        return self.line

    def _first(self, path: Path, wanted: dict[str, int], name: str) -> str:
        """SQL for the first of the places of a field where there is something."""
        found = [
            f"{name}[{wanted.setdefault(each, len(wanted)) + 1}]" for each in self._places(path)
        ]
        return found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"

    def _places(self, path: Path) -> list[str]:
        """JSON pointers to where a field may be."""
        if self.messages and path[0] in ENVELOPE:
            # A dot in the name of a header is no step.
            plain = ("headers", ".".join(path[1:])) if path[0] == "headers" and path[1:] else path
            return [pointer(plain)]
        above = ("value",) if self.messages else ()
        places = [pointer((*above, *path))]
        if self.cloud_events and self.messages:
            if path[0] == "data":  # in binary mode the value is the data
                places.append(pointer((*above, *path[1:])))
            elif len(path) == 1:
                places += [pointer(("headers", s.format(path[0]))) for s in HEADER_STYLES]
        return places


def pointer(path: Path) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)
