"""Results on stdout: as a table for people, as JSON or CSV for programs."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from miner.drawing.words import spoken

FORMATS = ("table", "json", "csv")


def rendered(result: Any, form: str) -> str:
    """A frame, dataclass or dict as text in one of `FORMATS`, without a newline at its end.

    In JSON and CSV durations are seconds in columns that end in `_seconds`, instants are ISO 8601
    in UTC, and unknown is null or empty.
    """
    if form == "json":
        return json.dumps(plain(result), ensure_ascii=False, allow_nan=False, indent=2)
    if form == "csv":
        return _csv(result)
    if isinstance(result, pl.DataFrame):
        return _table(result)
    return _pairs(result)


def plain(result: Any) -> Any:
    """Dicts, lists, numbers and texts only, with the keys that programs rely on."""
    if isinstance(result, pl.DataFrame):
        keys = [_key(name, isinstance(kind, pl.Duration)) for name, kind in result.schema.items()]
        return [dict(zip(keys, map(plain, row), strict=True)) for row in result.iter_rows()]
    if is_dataclass(result) and not isinstance(result, type):
        return {
            _key(field.name, "timedelta" in str(field.type)): plain(getattr(result, field.name))
            for field in fields(result)
        }
    if isinstance(result, dict):
        return {
            _key(key, isinstance(value, timedelta)): plain(value) for key, value in result.items()
        }
    if isinstance(result, list | tuple):
        return [plain(value) for value in result]
    return _scalar(result)


def columns(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` with durations as seconds in columns that end in `_seconds`, lists as texts."""
    found = []
    for name, kind in frame.schema.items():
        column = pl.col(name)
        if isinstance(kind, pl.Duration):
            column = (column.dt.total_microseconds() / 1e6).alias(_key(name, True))
        elif isinstance(kind, pl.List):
            column = column.list.join(" > ")
        elif isinstance(kind, pl.Datetime):
            column = column.dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ")
        found.append(column)
    return frame.select(found)


def _csv(result: Any) -> str:
    if isinstance(result, pl.DataFrame):
        text: str = columns(result).write_csv()
        return text.rstrip("\n")
    values = {
        key: json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
        for key, value in plain(result).items()
    }
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(values)
    writer.writerow(values.values())
    return written.getvalue().rstrip("\n")


def _key(name: str, is_duration: bool) -> str:
    return f"{name}_seconds" if is_duration else name


def _scalar(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, datetime):
        moment = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
        return f"{moment.isoformat()}Z"
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _table(frame: pl.DataFrame) -> str:
    if frame.is_empty():
        return "Nothing to show."
    names = [name.replace("_", " ") for name in frame.columns]
    rows = [[_shown(value) for value in row] for row in frame.iter_rows()]
    right = [kind.is_numeric() or isinstance(kind, pl.Duration) for kind in frame.dtypes]
    widths = [
        min(max(len(cell) for cell in column), 60) for column in zip(names, *rows, strict=True)
    ]
    lines = [_line(names, widths, right), "  ".join("─" * width for width in widths)]
    lines += [_line(row, widths, right) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def _line(cells: Iterable[str], widths: list[int], right: list[bool]) -> str:
    shown = []
    for cell, width, is_right in zip(cells, widths, right, strict=True):
        cut = cell if len(cell) <= width else f"{cell[: width - 1]}…"
        place: Callable[[int], str] = cut.rjust if is_right else cut.ljust
        shown.append(place(width))
    return "  ".join(shown)


def _pairs(result: Any) -> str:
    if is_dataclass(result) and not isinstance(result, type):
        result = {field.name: getattr(result, field.name) for field in fields(result)}
    width = max((len(key) for key in result), default=0)
    lines = []
    for key, value in result.items():
        name = key.replace("_", " ")
        if isinstance(value, pl.DataFrame):
            lines += ["", name.capitalize(), _table(value)]
        elif isinstance(value, dict):
            inner = ", ".join(f"{k} = {_shown(v)}" for k, v in value.items())
            lines.append(f"{name:<{width}}  {inner or '–'}")
        else:
            lines.append(f"{name:<{width}}  {_shown(value)}")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, timedelta):
        return spoken(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    if isinstance(value, list | tuple):
        return " > ".join(_shown(part) for part in value)
    return "".join(char if char.isprintable() else "�" for char in str(value))
