"""Columns of times: how their values are written, decided once over all rows, and read in SQL."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import duckdb

from ingest.date_formats import (
    DAY_FIRST,
    DAYS_OF_WEEK,
    MONTH_FIRST,
    MONTH_OF,
    YEAR_FIRST,
    Shape,
    meaning,
)
from ingest.sql import literal
from miner.errors import InputError

MISSING_WORDS = ("", "null", "none", "nan", "nat", "n/a", "na", "-", "?")
"""What exports write where there is no time."""
MOST_SHAPES = 5_000
ORDERS = (DAY_FIRST, MONTH_FIRST, YEAR_FIRST)

T = '"text of a time"'
"""What SQL in this module calls the text of the value it reads."""

# Four digits must lead, or the cast would take 26-01-31 for year 26.
# What follows the date tells an offset, because a cast to TIMESTAMP would drop it silently.
ISO = f"{T}[5] in ('-', '/')"
AWARE = f"({T}[-1] > '9' or contains({T}[11:], '+') or contains({T}[11:], '-'))"
NAIVE_ISO = f"case when {ISO} and not {AWARE} then try_cast({T} as timestamp) end"
AWARE_ISO = f"case when {ISO} and {AWARE} then epoch_us(try_cast({T} as timestamptz)) end"

EPOCHS = {
    "seconds": ((9, 10), f"(try_cast({T} as decimal(38, 6)) * 1000000)::bigint"),
    "milliseconds": ((12, 13), f"(try_cast({T} as decimal(38, 6)) * 1000)::bigint"),
    "microseconds": ((15, 16), f"trunc(try_cast({T} as decimal(38, 6)))::bigint"),
    "nanoseconds": ((18, 19), f"trunc(try_cast({T} as decimal(38, 6)))::bigint // 1000"),
}
"""Kinds of numbers since 1970: how many digits they have before the point, and microseconds."""
COMPACT = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
EXCEL = (
    f"case when try_cast({T} as double) between 10000 and 99999 then make_timestamp("
    f"epoch_us(timestamp '1899-12-30') "
    f"+ round(try_cast({T} as double) * 86400)::bigint * 1000000) end"
)


@dataclass(frozen=True)
class TimeColumn:
    """A column of times: its name, and SQL for its values as text or, if typed, as they are."""

    name: str
    sql: str
    type: str = "VARCHAR"
    may_miss: bool = False
    """Whether words for "none" count as no time rather than as a mistake."""

    @property
    def text(self) -> str:
        """SQL for the value as text; null where there is none."""
        if self.type in ("FLOAT", "DOUBLE") or self.type.startswith("DECIMAL"):
            return f"{self.sql}::decimal(38, 6)::varchar"
        if self.type != "VARCHAR":
            return f"{self.sql}::varchar"
        if self.may_miss:
            words = ", ".join(literal(word) for word in MISSING_WORDS)
            return f"case when lower(trim({self.sql})) not in ({words}) then {self.sql} end"
        return f"nullif({self.sql}, '')"


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


@dataclass
class _Written:
    """How the values of one column are written."""

    column: TimeColumn
    filled: int = 0
    naive_iso: int = 0
    aware_iso: int = 0
    shapes: dict[str, Shape] = field(default_factory=dict)
    numbers: list[str] = field(default_factory=list)
    excel: bool = False
    readable: int = 0
    example: str | None = None
    """A value that is no date."""


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
    written = [_written(connection, relation, column) for column in columns]
    separators = {
        shape.separator
        for each in written
        for shape in each.shapes.values()
        if len(shape.formats) > 1
    }
    orders = {}
    for separator in sorted(separators):
        orders[separator] = _order(connection, relation, written, separator, day_first)
    return [_times(each, orders) for each in written]


def _written(connection: duckdb.DuckDBPyConnection, relation: str, column: TimeColumn) -> _Written:
    if column.type.startswith(("TIMESTAMP", "DATE")):
        return _Written(column)
    rows = f"(select {column.text} as {T} from {relation})"
    [counts] = connection.sql(
        f"select count({T}), count({NAIVE_ISO}), count({AWARE_ISO}) from {rows}"
    ).fetchall()
    found = _Written(column, *counts)
    found.readable = found.naive_iso + found.aware_iso
    if found.readable < found.filled:
        _add_shapes(connection, rows, found)
    if found.filled and not found.readable:
        raise InputError(
            f"No value in column {column.name!r} can be read as a time, "
            f"for example {found.example!r}.",
            hint="Name the column with the times: --timestamp COLUMN (and --start COLUMN).",
        )
    return found


def _add_shapes(connection: duckdb.DuckDBPyConnection, rows: str, found: _Written) -> None:
    shapes = connection.sql(
        f"""
        select
            lower(translate(trim({T}), '0123456789', '0000000000')) as shape,
            count(*) as frequency,
            min(trim({T})) as lowest,
            max(trim({T})) as highest
        from {rows}
        where {T} is not null and {NAIVE_ISO} is null and {AWARE_ISO} is null
        group by shape
        order by frequency desc, shape
        limit {MOST_SHAPES}
        """
    ).fetchall()
    days = [shape for shape, *_ in shapes if re.fullmatch(r"00000(\.0+)?", shape)]
    found.excel = bool(shapes) and len(days) == len(shapes) and found.readable == 0
    for shape, frequency, lowest, highest in shapes:
        if re.fullmatch(r"0+(\.0+)?", shape):
            if found.excel:
                found.readable += frequency
            elif kind := _number(shape, lowest, highest):
                found.numbers += [kind] if kind not in found.numbers else []
                found.readable += frequency
            else:
                found.example = found.example or lowest
        elif known := meaning(shape):
            found.shapes[shape] = known
            found.readable += frequency
        else:
            found.example = found.example or lowest


def _number(shape: str, lowest: str, highest: str) -> str | None:
    """What numbers of this shape are: a kind of epoch, a format of digits alone, or no time."""
    whole = len(shape.split(".")[0])
    compact = all("1900" <= each[:4] < "2201" and each[4:6] <= "12" for each in (lowest, highest))
    if "." not in shape and whole in COMPACT and compact:
        return COMPACT[whole]
    return next((kind for kind, (lengths, _) in EPOCHS.items() if whole in lengths), None)


def _order(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    written: Iterable[_Written],
    separator: str,
    day_first: bool | None,
) -> tuple[str, str]:
    """The order of day, month and year in dates with this separator, and why it is that."""
    if day_first is not None:
        return (DAY_FIRST if day_first else MONTH_FIRST), "as given"
    valid: Counter[str] = Counter()
    only: dict[str, str] = {}
    open_orders = set(ORDERS)
    example = ""
    for each in written:
        shapes = [shape for shape in each.shapes.values() if shape.separator == separator]
        if not shapes:
            continue
        open_orders.intersection_update(*(shape.formats for shape in shapes))
        [row] = connection.sql(_evidence(relation, each.column, separator)).fetchall()
        valid.update(dict(zip((*ORDERS, "any"), row[:4], strict=True)))
        only |= {order: text for order, text in zip(ORDERS, row[4:7], strict=True) if text}
        example = example or row[7] or ""
    possible = [order for order in ORDERS if order in open_orders and valid[order] == valid["any"]]
    if len(possible) == 1:
        shown = only.get(possible[0])
        return possible[0], f"because {shown!r} cannot be otherwise" if shown else "by all values"
    hint = "Say which with --day-first or --month-first."
    if possible:
        names = ", ".join(each.column.name for each in written)
        ways = " or ".join(possible)
        raise InputError(f"The dates in {names} are ambiguous: {example!r} is {ways}.", hint=hint)
    found = " and ".join(repr(text) for text in only.values())
    raise InputError(f"The dates contradict each other: {found} differ in their order.", hint=hint)


def _evidence(relation: str, column: TimeColumn, separator: str) -> str:
    """For each order, the rows it can read and an example only it can read."""
    part = f"split_part(t, {literal(separator)}, %s)"
    return f"""
        with written as (select trim({column.text}) as t from {relation}),
        number as (
            select
                t,
                try_cast({part % 1} as integer) as a,
                try_cast({part % 2} as integer) as b,
                try_cast(regexp_extract({part % 3}, '^[0-9]+') as integer) as c
            from written
            where contains(t, {literal(separator)})
        ),
        valid as (
            select
                t,
                a between 1 and 31 and b between 1 and 12 as day,
                a between 1 and 12 and b between 1 and 31 as month,
                b between 1 and 12 and c between 1 and 31 and a < 100 as year
            from number
            where a < 100 and b < 100
        )
        select
            count(*) filter (day), count(*) filter (month), count(*) filter (year),
            count(*) filter (day or month or year),
            min(t) filter (day and not month),
            min(t) filter (month and not day),
            min(t) filter (year and not day and not month),
            min(t)
        from valid
    """


def _times(found: _Written, orders: dict[str, tuple[str, str]]) -> Times:
    column = found.column
    if column.type.startswith("TIMESTAMP WITH TIME ZONE"):
        return Times(column.sql, f"make_timestamp(epoch_us({column.sql}))", None, "")
    if column.type.startswith(("TIMESTAMP", "DATE")):
        return Times(column.sql, None, f"{column.sql}::timestamp", "")
    utc, local, how = [], [], []
    if found.aware_iso:
        utc.append(f"make_timestamp({AWARE_ISO})")
        how.append("ISO 8601 with offsets")
    if found.naive_iso:
        local.append(NAIVE_ISO)
        how.append("ISO 8601 without offsets")
    _add_formats(found, orders, utc, local, how)
    for kind in found.numbers:
        if kind in EPOCHS:
            lengths, value = EPOCHS[kind]
            right = f"length(split_part(trim({T}), '.', 1)) in ({lengths[0]}, {lengths[-1]})"
            utc.append(f"case when {right} then make_timestamp({value}) end")
            how.append(f"{kind} since 1970")
        else:
            length = len(kind.replace("%Y", "0000").replace("%", "0"))
            right = f"length(trim({T})) = {length}"
            local.append(f"case when {right} then try_strptime({T}, {literal(kind)}) end")
            how += ["digits alone, year first"] if "digits alone, year first" not in how else []
    if found.excel:
        local.append(EXCEL)
        how.append("day numbers of Excel")
    value = column.text

    def reading(choices: list[str]) -> str | None:
        return _first(choices).replace(T, value) if choices else None

    return Times(value, reading(utc), reading(local), ", ".join(how))


def _first(choices: list[str]) -> str:
    return f"coalesce({', '.join(choices)})" if len(choices) > 1 else choices[0]


def _add_formats(
    found: _Written,
    orders: dict[str, tuple[str, str]],
    utc: list[str],
    local: list[str],
    how: list[str],
) -> None:
    formats: dict[bool, list[str]] = {True: [], False: []}
    for shape in found.shapes.values():
        order = next(iter(shape.formats))
        if len(shape.formats) > 1:
            order, why = orders[shape.separator]
            text = f"{order}, {why}"
            how += [text] if text not in how else []
        if order in shape.formats and shape.formats[order] not in formats[shape.aware]:
            formats[shape.aware].append(shape.formats[order])
    cleaned = _cleaned(found.shapes)
    for aware, written in formats.items():
        if not written:
            continue
        # A year of two digits goes first, because %Y would take 26 for the year 26.
        tried = ", ".join(literal(each) for each in sorted(written, key=lambda f: "%y" not in f))
        parsed = f"try_strptime({cleaned}, [{tried}])"
        if aware:
            utc.append(f"make_timestamp(epoch_us({parsed}))")
        else:
            local.append(parsed)
        if not any(order in each for each in how for order in (DAY_FIRST, MONTH_FIRST)):
            how.append(f"like {written[0]}")


def _cleaned(shapes: dict[str, Shape]) -> str:
    """SQL that brings texts of these shapes into what strptime reads, as little as need be."""
    sql = T
    if any(re.search(r"[^\W\d_]", shape) for shape in shapes):
        sql = f"lower(trim({sql}))"
    if any(known.weekday for known in shapes.values()):
        days = "|".join(sorted(DAYS_OF_WEEK, key=len, reverse=True))
        sql = f"regexp_replace({sql}, '^({days})[.,]* +([0-9])', '\\2')"
    for word in sorted({w for known in shapes.values() for w in known.months}, key=len)[::-1]:
        sql = f"replace({sql}, {literal(word)}, {literal(MONTH_OF[word])})"
    if any("a.m." in shape or "p.m." in shape for shape in shapes):
        sql = f"replace(replace({sql}, 'a.m.', 'am'), 'p.m.', 'pm')"
    if any(known.long_fraction for known in shapes.values()):
        sql = f"regexp_replace({sql}, '([.,][0-9]{{6}})[0-9]+', '\\1')"
    if any(known.aware for known in shapes.values()):
        sql = f"regexp_replace({sql}, ' ?(z|utc|gmt)$', '+00:00')"
    return sql
