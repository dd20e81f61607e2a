"""Frames as files that people take away."""

from __future__ import annotations

import polars as pl

_FORMULA = r"^[=+\-@\t\r]"


def csv_of(frame: pl.DataFrame) -> bytes:
    """`frame` as CSV in UTF-8, for people and spreadsheets.

    Durations become numbers of seconds in columns that end in `_seconds`, instants ISO 8601 in UTC,
    lists one text with " > " between. Texts that a spreadsheet would take for a formula (they start
    with = + - @, tab or return) get an apostrophe in front. Unknown is empty.
    """
    return (
        frame.select(_cell(pl.col(name), name, kind) for name, kind in frame.schema.items())
        .write_csv(include_bom=True)
        .encode()
    )


def _cell(column: pl.Expr, name: str, kind: pl.DataType) -> pl.Expr:
    if isinstance(kind, pl.Duration):
        seconds = column.dt.total_microseconds() / 1_000_000
        return seconds.alias(name if name.endswith("_seconds") else f"{name}_seconds")
    if isinstance(kind, pl.Datetime):
        return column.dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    if isinstance(kind, pl.List):
        return _harmless(column.cast(pl.List(pl.String)).list.join(" > ")).alias(name)
    return _harmless(column).alias(name) if kind == pl.String else column


def _harmless(text: pl.Expr) -> pl.Expr:
    return pl.when(text.str.contains(_FORMULA)).then(pl.lit("'") + text).otherwise(text)
