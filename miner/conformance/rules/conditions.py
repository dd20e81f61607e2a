"""Conditions on attributes, written as SQL expressions and checked by structure before they run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from miner.errors import ModelError

LONGEST = 2_000
CASE_COLUMNS = {
    "case_id": "i.case_id",
    "status": "c.status::varchar",
    "process_version": "v.process_version",
}
"""Names that are known of every case, over `"case" as c`, its identity `i` and its version `v`."""
INSTANCE_COLUMNS = {"resource": "r.resource", "resource_kind": "r.resource_kind"}
"""Names that are known of every activity instance, over its resource `r`."""
_TYPES = ("varchar", "text", "double", "bigint", "integer", "int", "date", "timestamp", "boolean")
_FUNCTIONS = (
    *("abs", "coalesce", "contains", "ends_with", "floor", "greatest", "hour", "isodow"),
    *("least", "length", "lower", "month", "round", "starts_with", "trim", "upper", "year"),
)


@dataclass(frozen=True)
class Condition:
    """A checked condition; true, false, or null where an attribute it needs is unknown."""

    text: str
    """As it is written."""
    sql: str
    """Over `c`, `i` and `v` of a case; one on an activity also over `r` and its attributes `e`."""


def condition(text: str, *, of_activity: bool = False) -> Condition:
    """The condition `text`: names are attributes, compared as what they are compared with.

    `amount > 1000 and region = 'EU'` compares a number and a text; `closed_on::date` says the type
    itself. In a condition on an activity names are attributes of its events, and `case.amount` is
    one of its case. Raises ModelError for what is no condition; its message goes on from a place.
    """
    import sqlglot
    from sqlglot.errors import SqlglotError

    if len(text) > LONGEST:
        raise ModelError(f"a condition of {len(text):,} characters is not read.")
    try:
        tree: Any = sqlglot.parse_one(text, dialect="duckdb")
    except (SqlglotError, RecursionError):
        raise ModelError(
            f"{text!r} is no condition.",
            hint="Write it as in SQL: amount > 1000 and region = 'EU'.",
        ) from None
    for node in tree.walk():
        _check(node, text)
        node.comments = None
    placed = tree.transform(_tried).transform(lambda node: _placed(node, text, of_activity))
    _check_types(text, placed)
    return Condition(text, placed.sql(dialect="duckdb"))


def _check(node: Any, text: str) -> None:
    """Refuse every part of a statement that is not known to be harmless."""
    from sqlglot import exp

    allowed = (
        exp.And, exp.Or, exp.Not, exp.Paren, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE,
        exp.In, exp.Between, exp.Is, exp.Null, exp.Boolean, exp.Literal, exp.Column, exp.Identifier,
        exp.Like, exp.ILike, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.Case,
        exp.If, exp.NullSafeEQ, exp.NullSafeNEQ,
    )  # fmt: skip
    if isinstance(node, exp.Cast | exp.TryCast):
        wanted = node.to.sql(dialect="duckdb").lower()
        if wanted not in _TYPES:
            raise ModelError(
                f"{text!r} casts to {wanted}.", hint=f"Known types: {', '.join(_TYPES)}."
            )
        return
    if isinstance(node, exp.DataType) or type(node) in allowed:
        return
    if isinstance(node, exp.Func):
        name = node.sql(dialect="duckdb").partition("(")[0].lower()
        if name in _FUNCTIONS:
            return
        raise ModelError(
            f"{text!r} uses {name}(), which is not allowed here.",
            hint=f"Allowed are {', '.join(_FUNCTIONS)}.",
        )
    raise ModelError(
        f"{text!r} may not hold {type(node).__name__}.",
        hint="Write a condition on attributes: amount > 1000 and region = 'EU'.",
    )


def _tried(node: Any) -> Any:
    """A cast as one that gives null where the value does not fit: unknown is no error."""
    from sqlglot import exp

    if type(node) is exp.Cast:
        return exp.TryCast(this=node.this, to=node.to)
    return node


def _placed(node: Any, text: str, of_activity: bool) -> Any:
    """A name of the condition as the SQL that finds its value."""
    import sqlglot
    from sqlglot import exp

    if not isinstance(node, exp.Column):
        return node
    parts = [part.name for part in node.parts]
    of_case = not of_activity
    if of_activity and len(parts) > 1 and parts[0] == "case":
        of_case, parts = True, parts[1:]
    name = ".".join(parts)
    known = CASE_COLUMNS | ({} if of_case else INSTANCE_COLUMNS)
    if name in known and (of_case or name in INSTANCE_COLUMNS):
        return sqlglot.parse_one(known[name], dialect="duckdb")
    table = "i" if of_case else "e"
    quoted = name.replace("'", "''")
    found = f"variant_extract({table}.attributes, '{quoted}')::varchar"
    kind = _kind_of(node, text)
    sql = f"try_cast({found} as {kind})" if kind else found
    return sqlglot.parse_one(sql, dialect="duckdb")


def _kind_of(node: Any, text: str) -> str | None:
    """The type an attribute is compared as; null: as a text."""
    from sqlglot import exp

    parent = node.parent
    while isinstance(parent, exp.Paren):
        node, parent = parent, parent.parent
    if isinstance(parent, exp.Add | exp.Sub | exp.Mul | exp.Div | exp.Mod | exp.Neg):
        return "double"
    if isinstance(parent, exp.Func) and not isinstance(parent, exp.And | exp.Or | exp.Cast):
        name = parent.sql(dialect="duckdb").partition("(")[0].lower()
        return "double" if name in ("abs", "round", "floor") else None
    if isinstance(parent, exp.EQ | exp.NEQ | exp.GT | exp.GTE | exp.LT | exp.LTE):
        other = parent.expression if parent.this is node else parent.this
        return _kind_beside(other, text)
    if isinstance(parent, exp.In | exp.Between):
        others = parent.expressions if isinstance(parent, exp.In) else [parent.args["low"]]
        return _kind_beside(others[0], text) if others else None
    if parent is None or isinstance(parent, exp.And | exp.Or | exp.Not):
        return "boolean"
    return None


def _kind_beside(other: Any, text: str) -> str | None:
    from sqlglot import exp

    other = other.unnest()
    if isinstance(other, exp.Column):
        raise ModelError(
            f"{text!r} compares two attributes of unknown type.",
            hint="Say their type: paid::double > ordered::double.",
        )
    if isinstance(other, exp.Boolean):
        return "boolean"
    if isinstance(other, exp.Literal):
        return None if other.is_string else "double"
    if isinstance(other, exp.Cast):
        return str(other.to.sql(dialect="duckdb"))
    return "double" if isinstance(other, exp.Binary | exp.Neg) else None


def _check_types(text: str, tree: Any) -> None:
    """Try the condition on no case at all; ModelError if its types do not fit."""
    import duckdb

    with duckdb.connect(config={"enable_external_access": False}) as connection:
        for table, columns in (
            ("c", "null::varchar as status"),
            ("i", "null::varchar as case_id, null::variant as attributes"),
            ("v", "null::varchar as process_version"),
            ("e", "null::variant as attributes"),
            ("r", "null::varchar as resource, null::varchar as resource_kind"),
        ):
            connection.execute(f"create table {table} as select {columns} where false")
        sql = tree.sql(dialect="duckdb")
        try:
            found = connection.sql(f"select {sql} as holds from c, i, v, e, r")
        except duckdb.Error as error:
            said = str(error).splitlines()[0].split(": ", 1)[-1].rstrip(". ")
            raise ModelError(
                f"{text!r} cannot be computed: {said}.", hint="Say types: ordered_on::date."
            ) from None
        if str(found.types[0]) != "BOOLEAN":
            raise ModelError(
                f"{text!r} is neither true nor false.", hint="Compare it: amount + fee > 1000."
            )
