"""The values of a mapping: names of fields, and SQL expressions that are checked by structure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from ingest.tables.column_names import listed
from miner.errors import InputError, UnknownNameError

Path = tuple[str, ...]

NAME = re.compile(r"[^\W\d][\w$@]*(?:-\w+)*|[$@][\w$@]+")
STEP = re.compile(r"\.([\w$@]+(?:-\w+)*)|\[(\d+)\]")
WORDS = re.compile(r"[^\W\d][\w$@.\-/#&:]*(?: [\w$@.\-/#&:()]+)+")
"""Several words that are no expression: the name of a column, as spreadsheets have them."""

OPERATORS = r" [-/:&] |\b(and|or|is|not|in|like|case when)\b"

FUNCTIONS = listed(
    """
    abs add array_contains array_extract array_has array_length ascii cast ceil ceiling chr coalesce
    concat concat_ws contains date_add date_diff date_part date_sub date_trunc datediff datepart
    datesub datetrunc day dayname dayofmonth dayofweek dayofyear decode divide element_at encode
    ends_with epoch epoch_ms epoch_ns epoch_us exp extract floor format from_base64 greatest hash
    hex hour if ifnull instr isfinite isodow isoyear json_array_length json_contains json_exists
    json_extract json_extract_path json_extract_path_text json_extract_string json_keys
    json_structure json_type json_valid json_value lcase least left len length levenshtein
    list_contains list_element list_extract list_has list_value lower lpad ltrim make_date make_time
    make_timestamp make_timestamp_ms make_timestamp_ns md5 microsecond millisecond minute mod month
    monthname multiply nullif position power prefix printf quarter regexp_extract regexp_extract_all
    regexp_full_match regexp_matches regexp_replace regexp_split_to_array replace reverse right
    round rpad rtrim second sha256 sign split split_part starts_with str_split str_split_regex
    strftime string_split string_split_regex string_to_array strip_accents strlen strpos strptime
    struct_extract substr substring subtract suffix time_bucket timezone to_base64 to_days to_hours
    to_json to_microseconds to_milliseconds to_minutes to_months to_seconds to_timestamp to_weeks
    to_years translate trim trunc try_cast try_strptime typeof ucase unhex unicode upper url_decode
    url_encode week weekday weekofyear year yearweek
    """
)
"""Functions of the values of one record and of nothing else."""
BEFORE_BRACKETS = listed(
    "and or not in case when then else is like ilike between as interval decimal numeric varchar"
)
"""Words of SQL that are no functions."""


@dataclass(frozen=True)
class Value:
    """What stands after a key: a field, or an expression over fields."""

    key: str
    text: str
    """As it is written."""
    line: int
    path: Path | None = None
    """The field it names, if it may be a name."""
    sql: str | None = None
    """The expression, if it is one, over the columns that `column_for` names."""
    fields: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Settings:
    """How a mapping wants times to be read, and what its records are."""

    timezone: str | None = None
    daylight_saving: str = "reject"
    timestamp_format: tuple[str, ...] = ()
    format: str | None = None

    def with_zone(self, timezone: str | None) -> Settings:
        """These settings with a zone, if they have none."""
        return self if self.timezone else replace(self, timezone=timezone)


def value_of(key: str, given: object, name: str, line: int) -> Value:
    """The value of a key; InputError with the line for what is neither field nor expression."""
    where = f"{name}, line {line}: {key}"
    if isinstance(given, bool | int | float):
        return Value(key, str(given), line, sql=str(given).lower())
    if not isinstance(given, str):
        raise InputError(
            f"{where} is {_kind(given)}.", hint="Give the name of a field or an expression, a text."
        )
    text = given.strip()
    if not text:
        raise InputError(f"{where} is empty.", hint="Name a field, or leave the key out.")
    path = path_of(text)
    try:
        sql, fields = expression(text)
    except InputError as error:
        if path is None:
            raise InputError(f"{where} {error.message}", hint=error.hint) from None
        return Value(key, text, line, path=path)
    return Value(key, text, line, path, sql, fields)


def path_of(text: str) -> Path | None:
    """The path of a field, `order.items[0].name`; None for what can be no name."""
    if re.fullmatch(r'"[^"]+"', text):
        return (text[1:-1],)
    if WORDS.fullmatch(text) and not re.search(OPERATORS, text, re.I):
        return (text,)
    match = NAME.match(text)
    if match is None:
        return None
    path, at = [match[0]], match.end()
    while at < len(text):
        step = STEP.match(text, at)
        if step is None:
            return None
        path.append(step[1] or step[2])
        at = step.end()
    return tuple(path)


def expression(text: str) -> tuple[str, tuple[Path, ...]]:
    """An expression as DuckDB will run it, over columns named by `column_for`, and its fields.

    InputError whose message goes on from the name of a key, if it is no scalar expression over
    fields.
    """
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import ParseError, TokenError

    try:
        tree: Any = sqlglot.parse_one(text, dialect="duckdb")
    except ParseError as error:
        raise _syntax(text, error) from None
    except TokenError:
        raise InputError(
            f"cannot be read: {text!r} ends within a quotation.", hint="Close the quotation mark."
        ) from None
    _check_structure(tree, text)
    fields: dict[Path, None] = {}

    def placed(node: Any) -> Any:
        path = _path_in(node)
        if path is None:
            return node
        fields[path] = None
        return exp.column(column_for(path))

    tree = tree.transform(placed)
    for node in tree.walk():
        node.comments = None
    sql: str = tree.sql(dialect="duckdb")
    _check_functions(sql)
    return sql, tuple(fields)


def column_for(path: Path) -> str:
    """The name of the column that holds a field where expressions are evaluated."""
    return f"field_{hashlib.md5(repr(path).encode(), usedforsecurity=False).hexdigest()[:16]}"


def _path_in(node: Any) -> Path | None:
    """The path that a part of an expression is, outermost first."""
    from sqlglot import exp

    if isinstance(node, exp.Column):
        return tuple(part.name for part in node.parts)
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Identifier):
        before = _path_in(node.this)
        return before and (*before, node.expression.name)
    if isinstance(node, exp.Bracket) and len(node.expressions) == 1:
        before = _path_in(node.this)
        index = node.expressions[0]
        if before and index.is_int:  # the parser counts from 1, as lists of DuckDB do
            return (*before, str(int(index.to_py()) + 1))
    return None


def _check_structure(tree: Any, text: str) -> None:
    from sqlglot import exp

    if isinstance(tree, exp.Alias):
        raise InputError(
            f"is neither a field nor an expression: {text!r}.",
            hint=f"""A text stands in single quotes within the double ones: "'{text}'".""",
        )
    refused = {
        exp.Query: "a query", exp.Star: "*", exp.Placeholder: "a parameter",
        exp.Parameter: "a parameter", exp.Window: "a window", exp.AggFunc: "an aggregate",
        exp.Lambda: "a lambda", exp.UDTF: "a table function", exp.Table: "a table",
        exp.Command: "a command", exp.DDL: "a statement", exp.DML: "a statement",
        exp.Block: "more than one statement", exp.Semicolon: "more than one statement",
        exp.Columns: "a choice of columns", exp.Exists: "a query",
    }  # fmt: skip
    for node in tree.walk():
        for kind, what in refused.items():
            if isinstance(node, kind):
                raise InputError(
                    f"may not hold {what}: {text!r}.",
                    hint="Use an expression over the fields of one record.",
                )
        if type(node).__name__.startswith(("Current", "Local", "Session")):
            raise InputError(
                f"asks for something that is no field: {text!r}.",
                hint="The same record has to mean the same whenever it is read.",
            )
    if not isinstance(tree, exp.Condition | exp.Dot | exp.Interval | exp.AtTimeZone):
        raise InputError(f"is no expression: {text!r}.", hint="Name a field or write one.")


def _check_functions(sql: str) -> None:
    """Look at what will run, not at what was written."""
    from sqlglot import TokenType
    from sqlglot.dialects.duckdb import DuckDB

    tokens = DuckDB().tokenize(sql)
    for token, after in pairwise(tokens):
        names = token.token_type not in (TokenType.STRING, TokenType.NUMBER)
        if after.token_type != TokenType.L_PAREN or not names or not token.text[:1].isalpha():
            continue
        name = token.text.lower()
        if name not in (*FUNCTIONS, *BEFORE_BRACKETS):
            problem = UnknownNameError("function of one record", name, FUNCTIONS)
            raise InputError(f"uses {name}(), which is not allowed here.", hint=problem.hint)


def _syntax(text: str, error: Any) -> InputError:
    found = error.errors[0] if error.errors else {}
    column, marked = found.get("col") or len(text), found.get("highlight") or ""
    said = re.sub(r"Required keyword: '(\w+)' missing for .*", r"something is missing here",
                  str(found.get("description") or error)).rstrip(".")  # fmt: skip
    near = f" near {marked!r}" if marked else ""
    return InputError(
        f"cannot be read at character {column}{near}: {said[:1].lower()}{said[1:]}: {text!r}.",
        hint="Texts stand in single quotes; names with blanks or of SQL words in double ones.",
    )


def _kind(given: object) -> str:
    if isinstance(given, list):
        return "a list"
    return "a table" if isinstance(given, dict) else f"a {type(given).__name__}"
