"""How the times in a column are written: looked up in all of its rows, by what they look like."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

import duckdb

from ingest.sql import literal
from ingest.tables.date_formats import DAYS_OF_WEEK, MONTH_OF, Shape, meaning
from miner.errors import InputError

MISSING_WORDS = ("", "null", "none", "nan", "nat", "n/a", "na", "-", "?")
"""What exports write where there is no time."""
MOST_SHAPES = 5_000
FIRST_ROWS = 50_000
"""Rows whose shapes are looked at before those of all rows that these do not explain."""

T = '"text of a time"'
"""What SQL in this module calls the text of the value it reads."""

# Four digits must lead, or the cast would take 26-01-31 for the year 26. What comes after the date
# tells an offset, because a cast to TIMESTAMP would drop it silently. LIKE is several times faster
# here than cutting texts up.
ISO = f"{T} like '____-%'"
AWARE = f"({T} like '%+%' or {T} like '%-%-%-%' or {T}[-1] > '9')"
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


@dataclass
class Written:
    """How the values of one column are written."""

    column: TimeColumn
    filled: int = 0
    naive_iso: int = 0
    aware_iso: int = 0
    span: tuple[datetime, datetime] | None = None
    """The first and the last local time, if all are ISO 8601."""
    shapes: dict[str, Shape] = field(default_factory=dict)
    numbers: list[str] = field(default_factory=list)
    """Kinds of epochs, and formats of digits alone."""
    excel: bool = False
    strange: str | None = None
    """A value that is no time."""

    def readings(self, formats: Callable[[Shape], Iterable[str]]) -> tuple[list[str], list[str]]:
        """SQL for instants in UTC and SQL for local times, of the text `T`.

        `formats` says which formats of a shape to read it by.
        """
        utc = [f"make_timestamp({AWARE_ISO})"] if self.aware_iso else []
        local = [NAIVE_ISO] if self.naive_iso else []
        for aware, target in ((True, utc), (False, local)):
            shapes = [shape for shape in self.shapes.values() if shape.aware == aware]
            if wanted := {each for shape in shapes for each in formats(shape)}:
                parsed = self.parsed(wanted)
                target.append(f"make_timestamp(epoch_us({parsed}))" if aware else parsed)
        for kind in self.numbers:
            if kind in EPOCHS:
                lengths, value = EPOCHS[kind]
                right = f"length(split_part(trim({T}), '.', 1)) in ({lengths[0]}, {lengths[-1]})"
                utc.append(f"case when {right} then make_timestamp({value}) end")
            else:
                right = f"length(trim({T})) = {next(n for n, f in COMPACT.items() if f == kind)}"
                local.append(f"case when {right} then try_strptime({T}, {literal(kind)}) end")
        if self.excel:
            local.append(EXCEL)
        return utc, local

    def parsed(self, formats: Iterable[str]) -> str:
        """SQL for the text `T` read by the first of these formats that fits."""
        # A year of two digits goes first, because %Y would take 26 for the year 26.
        ordered = sorted(formats, key=lambda f: ("%y" not in f, f))
        parsed = _strptime(_cleaned(self.shapes), ordered)
        if not all(each.endswith("%z") for each in ordered):
            return parsed
        # With an offset DuckDB reads 30 February as 2 March; without one it does not.
        day = f"regexp_replace({_cleaned(self.shapes)}, ' ?[+-][0-9:]+$', '')"
        plain = [each.removesuffix("%z").rstrip() for each in ordered]
        return f"case when {_strptime(day, plain)} is not null then {parsed} end"


def _strptime(text: str, formats: Iterable[str]) -> str:
    return f"try_strptime({text}, [{', '.join(literal(each) for each in formats)}])"


def written(connection: duckdb.DuckDBPyConnection, relation: str, column: TimeColumn) -> Written:
    """How the values of a column of texts are written, in all of its rows.

    InputError if none of them can be read as a time.
    """
    rows = f"(select {column.text} as {T} from {relation})"
    [counts] = connection.sql(
        f"""
        select
            count({T}), count({NAIVE_ISO}), count({AWARE_ISO}),
            min({NAIVE_ISO}), max({NAIVE_ISO})
        from {rows}
        """
    ).fetchall()
    *numbers, first, last = counts
    found = Written(column, *numbers)
    iso = found.naive_iso + found.aware_iso
    if iso == found.filled:
        found.span = (first, last) if found.naive_iso else None
        return found
    rest = f"(select {T} from {rows} where {T} is not null and not ({_all_read(found)}))"
    _add_shapes(connection, f"(from {rest} limit {FIRST_ROWS})", found)
    rest = f"(select {T} from {rows} where {T} is not null and not ({_all_read(found)}))"
    _add_shapes(connection, rest, found)
    if not (iso or found.shapes or found.numbers or found.excel):
        raise InputError(
            f"No value in column {column.name!r} can be read as a time, "
            f"for example {found.strange!r}.",
            hint="Name the column with the times: --timestamp COLUMN (and --start COLUMN).",
        )
    return found


def _all_read(found: Written) -> str:
    """SQL for whether the text `T` is read by what is known so far, in whatever order of day."""
    utc, local = found.readings(lambda shape: shape.formats.values())
    read = [NAIVE_ISO, AWARE_ISO, *utc, *local]
    return " or ".join(f"{each} is not null" for each in read)


def _add_shapes(connection: duckdb.DuckDBPyConnection, rows: str, found: Written) -> None:
    """Add what the shapes of the texts `T` in `rows` mean."""
    shapes = connection.sql(
        f"""
        select
            lower(translate(trim({T}), '0123456789', '0000000000')) as shape,
            min(trim({T})) as lowest,
            max(trim({T})) as highest
        from {rows}
        group by shape
        order by count(*) desc, shape
        limit {MOST_SHAPES}
        """
    ).fetchall()
    days = all(re.fullmatch(r"00000(\.0+)?", shape) for shape, *_ in shapes)
    if shapes and days and not (found.naive_iso or found.aware_iso or found.shapes):
        found.excel = True
        return
    for shape, lowest, highest in shapes:
        if re.fullmatch(r"0+(\.0+)?", shape):
            kind = _number(shape, lowest, highest)
            if kind and kind not in found.numbers:
                found.numbers.append(kind)
        elif (known := meaning(shape)) is not None:
            kind = shape
            found.shapes[shape] = known
        else:
            kind = None
        if kind is None:
            found.strange = found.strange or lowest


def _number(shape: str, lowest: str, highest: str) -> str | None:
    """What numbers of this shape are: a kind of epoch, a format of digits alone, or no time."""
    whole = len(shape.split(".")[0])
    compact = all("1900" <= each[:4] < "2201" and each[4:6] <= "12" for each in (lowest, highest))
    if "." not in shape and whole in COMPACT and compact:
        return COMPACT[whole]
    return next((kind for kind, (lengths, _) in EPOCHS.items() if whole in lengths), None)


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
