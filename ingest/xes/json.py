"""Attributes of XES as JSON: typed where JSON has the type, exact in any case.

| XES | JSON |
|---|---|
| string, id, date | text, as written |
| int | number; text beyond 64 bits, where readers of JSON would round it |
| float | number; text where it is infinite or not a number |
| boolean | true or false |
| list | array: an element with a key is an object of one member, one without is bare |
| container | object |
| attribute of an attribute | {"value": …, "attributes": {…}} |

A value that is not what its element says (int "abc", float "1,5") stays as text and is counted.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import polars as pl

BLANK = " \t\r\n"
INTEGER = rf"^[{BLANK}]*[+-]?[0-9]+[{BLANK}]*$"
SHORT_INTEGER = r"^(0|-?[1-9][0-9]{0,17})$"
DECIMAL = rf"^[{BLANK}]*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?[{BLANK}]*$"
JSON_DECIMAL = r"^-?(0|[1-9][0-9]{0,15})(\.[0-9]{1,15})?$"
SPECIAL = rf"^[{BLANK}]*(NaN|[+-]?INF|[+-]?Infinity)[{BLANK}]*$"
TRUE, FALSE = ["true", "1"], ["false", "0"]


def quoted(text: pl.Expr) -> pl.Expr:
    """Text as a JSON string; XML lets no other control characters through."""
    return (
        pl.lit('"')
        + text.str.replace_many(["\\", '"', "\n", "\r", "\t"], ["\\\\", '\\"', "\\n", "\\r", "\\t"])
        + pl.lit('"')
    )


def scalar_json(kind: pl.Expr, value: pl.Expr) -> pl.Expr:
    """The JSON of an attribute without attributes of its own; null where it has no value."""
    number = value.str.strip_chars(BLANK).str.strip_prefix("+")
    whole = pl.coalesce(
        pl.when(value.str.contains(SHORT_INTEGER)).then(value),
        pl.when(value.str.contains(INTEGER)).then(
            number.cast(pl.Int64, strict=False).cast(pl.String)
        ),
    )
    real = number.cast(pl.Float64, strict=False)
    decimal = pl.coalesce(
        pl.when(value.str.contains(JSON_DECIMAL)).then(value),
        pl.when(value.str.contains(DECIMAL) & real.is_finite()).then(real.cast(pl.String)),
    )
    truth = value.str.strip_chars(BLANK).str.to_lowercase()
    boolean = pl.coalesce(
        pl.when(truth.is_in(TRUE)).then(pl.lit("true")),
        pl.when(truth.is_in(FALSE)).then(pl.lit("false")),
    )
    typed = (
        pl.when(kind == "int")
        .then(whole)
        .when(kind == "float")
        .then(decimal)
        .when(kind == "boolean")
        .then(boolean)
        .when((kind == "list") & value.is_null())
        .then(pl.lit("[]"))
        .when((kind == "container") & value.is_null())
        .then(pl.lit("{}"))
        .when(kind == "json")
        .then(value)
    )
    return pl.coalesce(typed, quoted(value))


def mistyped(kind: pl.Expr, value: pl.Expr) -> pl.Expr:
    """Whether a value is not of the kind its element says."""
    return (
        ((kind == "int") & ~value.str.contains(INTEGER))
        | ((kind == "float") & ~value.str.contains(f"{DECIMAL}|{SPECIAL}"))
        | (
            (kind == "boolean")
            & ~value.str.strip_chars(BLANK).str.to_lowercase().is_in([*TRUE, *FALSE])
        )
    ).fill_null(False)


def nested_json(node: list[Any]) -> str:
    """The JSON of an attribute with attributes: a node is kind, key, value, child nodes."""
    return json.dumps(_nested(node), ensure_ascii=False)


def _nested(node: list[Any]) -> Any:
    kind, _, value, children = node
    wrapped = next((child for child in children if child[0] == "values"), None)
    elements = wrapped[3] if wrapped else children
    further = [child for child in children if child is not wrapped] if wrapped else []
    if kind == "list":
        listed = [{e[1]: _nested(e)} if e[1] else _nested(e) for e in elements]
        return {"value": listed, "attributes": _members(further)} if further else listed
    if kind == "container":
        return _members(children)
    plain = scalar(kind, value)
    return {"value": plain, "attributes": _members(children)} if children else plain


def _members(children: list[Any]) -> dict[str, Any]:
    return {child[1] or "": _nested(child) for child in children}


def scalar(kind: str, value: str | None) -> Any:
    """The value of an attribute as Python has it in JSON; null stays null."""
    if value is None:
        return None
    if kind == "int" and re.search(INTEGER, value):
        number = int(value) if len(value) < 100 else 2**63
        return number if -(2**63) <= number < 2**63 else value
    if kind == "float" and re.search(DECIMAL, value):
        real = float(value)
        return real if math.isfinite(real) else value
    if kind == "boolean" and value.strip(BLANK).lower() in TRUE + FALSE:
        return value.strip(BLANK).lower() in TRUE
    return value
