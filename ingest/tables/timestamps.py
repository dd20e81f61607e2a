"""Columns of times read in SQL: how is decided once, over all rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from ingest.sql import literal
from ingest.tables.date_formats import DAY_FIRST, MONTH_FIRST, YEAR_FIRST, Shape
from ingest.tables.written_times import COMPACT, EPOCHS, T, TimeColumn, Written, written
from miner.errors import InputError

ORDERS = (DAY_FIRST, MONTH_FIRST, YEAR_FIRST)
TYPED = ("TIMESTAMP", "DATE")


@dataclass(frozen=True)
class Times:
    """SQL for the instants of a column, and how they were read.

    Of `utc` and `local` at most one is not null: a value has its offset with it or has not.
    """

    value: str
    """The value itself, null where there is none: text, or a typed time."""
    utc: str | None
    """A naive timestamp in UTC."""
    local: str | None
    """A naive timestamp in the time zone of whoever wrote it."""
    how: str
    span: tuple[datetime, datetime] | None = None
    """The first and the last local time, where they are known."""


def read_times(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    columns: Sequence[TimeColumn],
    day_first: bool | None = None,
) -> list[Times]:
    """How to read the times in `columns` of `relation`, the same order of day and month in all.

    All rows are looked at. Values that fit no way of writing are null. InputError if none of a
    column's values is a time, or if its numbers can be read day first or month first.
    """
    texts = {
        column.name: written(connection, relation, column)
        for column in columns
        if not column.type.startswith(TYPED)
    }
    separators = {
        shape.separator
        for each in texts.values()
        for shape in each.shapes.values()
        if len(shape.formats) > 1
    }
    orders = {
        separator: _order(connection, relation, list(texts.values()), separator, day_first)
        for separator in sorted(separators)
    }
    return [
        _of_texts(texts[column.name], orders) if column.name in texts else _of_times(column)
        for column in columns
    ]


def _order(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    texts: Iterable[Written],
    separator: str,
    day_first: bool | None,
) -> tuple[str, str]:
    """The order of day, month and year in dates with this separator, and why it is that."""
    if day_first is not None:
        return (DAY_FIRST if day_first else MONTH_FIRST), "as given"
    valid: Counter[str] = Counter()
    only: dict[str, str] = {}
    example = ""
    for each in texts:
        shapes = [shape for shape in each.shapes.values() if shape.separator == separator]
        if shapes:
            [row] = connection.sql(_evidence(relation, each, shapes, separator)).fetchall()
            valid.update(dict(zip((*ORDERS, "any"), row[:4], strict=True)))
            only |= {order: text for order, text in zip(ORDERS, row[4:7], strict=True) if text}
            example = example or row[7] or ""
    possible = [order for order in ORDERS if valid[order] == valid["any"] > 0]
    if len(possible) == 1:
        shown = only.get(possible[0])
        return possible[0], f"because {shown!r} cannot be otherwise" if shown else "by all values"
    hint = "Say which with --day-first or --month-first."
    if possible:
        ways = " or ".join(possible)
        raise InputError(f"The dates are ambiguous: {example!r} may be {ways}.", hint=hint)
    found = " and ".join(repr(text) for text in only.values())
    raise InputError(f"The dates contradict each other: {found} differ in their order.", hint=hint)


def _evidence(relation: str, texts: Written, shapes: Sequence[Shape], separator: str) -> str:
    """How many dates each order can read, and for each an example that only it can read."""

    def reads(order: str) -> str:
        formats = {shape.formats[order] for shape in shapes if order in shape.formats}
        naive = {each for each in formats if "%z" not in each}
        read = [texts.parsed(each) for each in (naive, formats - naive) if each]
        return " or ".join(f"{each} is not null" for each in read) or "false"

    day, month, year = (reads(order) for order in ORDERS)
    return f"""
        with text as (select {texts.column.text} as {T} from {relation}),
        valid as (
            select {T}, {day} as day, {month} as month, {year} as year
            from text
            where contains({T}, {literal(separator)})
        )
        select
            count(*) filter (day), count(*) filter (month), count(*) filter (year),
            count(*) filter (day or month or year),
            min(trim({T})) filter (day and not month and not year),
            min(trim({T})) filter (month and not day and not year),
            min(trim({T})) filter (year and not day and not month),
            min(trim({T})) filter (day or month or year)
        from valid
    """


def _of_times(column: TimeColumn) -> Times:
    """A column that has the type of a time needs no reading."""
    at = utc_of(column.sql, column.type)
    if is_aware(column.type):
        return Times(column.sql, at, None, "")
    return Times(column.sql, None, at, "")


def is_aware(kind: str) -> bool:
    """Whether values of this DuckDB type are instants, not readings of some clock."""
    return "TIME ZONE" in kind or "TIMESTAMPTZ" in kind


def utc_of(sql: str, kind: str) -> str:
    """SQL for a value of a type of time as a naive timestamp, whatever the session's time zone."""
    if kind.endswith("_NS"):
        return f"make_timestamp(epoch_ns({sql}) // 1000)"  # a cast would round up
    return f"make_timestamp(epoch_us({sql}))" if is_aware(kind) else f"{sql}::timestamp"


def _of_texts(texts: Written, orders: dict[str, tuple[str, str]]) -> Times:
    def formats(shape: Shape) -> list[str]:
        if len(shape.formats) == 1:
            return list(shape.formats.values())
        order, _ = orders[shape.separator]
        return [shape.formats[order]] if order in shape.formats else []

    value = texts.column.text
    utc, local = (
        "coalesce(" + ", ".join(choices).replace(T, value) + ")" if choices else None
        for choices in texts.readings(formats)
    )
    return Times(value, utc, local, ", ".join(_how(texts, orders)), texts.span)


def _how(texts: Written, orders: dict[str, tuple[str, str]]) -> list[str]:
    """How the values are written, for people."""
    how = ["ISO 8601 with offsets"] if texts.aware_iso else []
    how += ["ISO 8601 without offsets"] if texts.naive_iso else []
    for shape in texts.shapes.values():
        if len(shape.formats) > 1:
            order, why = orders[shape.separator]
            how.append(f"{order}, {why}")
        else:
            how += [f"like {each}" for each in shape.formats.values()]
    how += [f"{kind} since 1970" for kind in texts.numbers if kind in EPOCHS]
    how += ["digits alone, year first"] if set(texts.numbers) & set(COMPACT.values()) else []
    how += ["day numbers of Excel"] if texts.excel else []
    return list(dict.fromkeys(how))[:5]
