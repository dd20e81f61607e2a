"""Rows of databases as frames, with types that mean something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from miner.errors import SourceRefusedError

DOUBLE_DIGITS = 15
"""Decimal digits that a double keeps."""


def distinct(names: Sequence[str]) -> list[str]:
    """The names of columns; SourceRefusedError if two are the same."""
    if len(set(names)) < len(names):
        raise SourceRefusedError(
            "The query has two columns of the same name.", hint="Give them names with AS."
        )
    return list(names)


def is_known(kind: Any) -> bool:
    """Whether values of an Arrow type become Polars values that mean something."""
    import pyarrow as pa

    if isinstance(kind, pa.BaseExtensionType):
        return bool(pa.types.is_string(kind.storage_type))
    return not (pa.types.is_fixed_size_binary(kind) or pa.types.is_interval(kind))


def from_arrow(table: Any) -> pl.DataFrame:
    """A frame; JSON is text, and so are numbers that a double does not keep."""
    import pyarrow as pa

    distinct(table.column_names)
    numbers = []
    for i, field in enumerate(table.schema):
        if isinstance(field.type, pa.BaseExtensionType):
            if getattr(field.type, "type_name", "") == "numeric":
                numbers.append(field.name)
            column = table.column(i).cast(field.type.storage_type)
            table = table.set_column(i, field.name, column)
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame.with_columns(_as_number(frame[name]) for name in numbers)


def _as_number(texts: pl.Series) -> pl.Series:
    digits = texts.str.replace_all(r"^-?0*\.?0*|\D", "").str.len_chars().max()
    return texts if isinstance(digits, int) and digits > DOUBLE_DIGITS else texts.cast(pl.Float64)


def from_rows(rows: Sequence[Any], names: Sequence[str], zoned: set[int]) -> pl.DataFrame:
    """A frame of rows; naive times in the columns `zoned` are UTC."""
    columns = []
    for i, (name, values) in enumerate(zip(names, zip(*rows, strict=True), strict=True)):
        column = _column(name, values)
        if i in zoned and column.dtype == pl.Datetime("us"):
            column = column.dt.replace_time_zone("UTC")
        columns.append(column)
    return pl.DataFrame(columns)


def _column(name: str, values: Sequence[Any]) -> pl.Series:
    """A column of values, which are text if they differ in kind."""
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) > 1 and kinds != {int, float}:
        return pl.Series(name, [None if v is None else str(v) for v in values], dtype=pl.String)
    kind = next(iter(kinds), None)
    if kind is not None and kind.__module__ not in ("builtins", "datetime", "decimal"):
        return pl.Series(name, [None if v is None else str(v) for v in values], dtype=pl.String)
    series = pl.Series(name, values, strict=False)
    if series.dtype.is_decimal():
        return _as_number(series.cast(pl.String))
    return series
