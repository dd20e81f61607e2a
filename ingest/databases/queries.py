"""Queries with named parameters, as drivers want them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


def one_statement(query: str) -> str:
    """The query without the semicolon at its end."""
    return query.strip().rstrip(";").rstrip()


PARAMETER = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|--[^\n]*|(?<![:\w]):(?P<name>\w+)"""
)
"""A parameter, or something in which a colon means nothing."""


def numbered(query: str, parameters: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """The query with `$1` for the first parameter it names and so on, and their values."""
    found: list[str] = []

    def number(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in parameters:
            return match[0]
        if name not in found:
            found.append(name)
        return f"${found.index(name) + 1}"

    return PARAMETER.sub(number, query), [parameters[name] for name in found]


def only_known(query: str, parameters: Mapping[str, Any]) -> str:
    """The query for SQLAlchemy: colons that begin no parameter are escaped."""
    parts, at = [], 0
    for match in PARAMETER.finditer(query):
        if match["name"] in parameters:
            parts += [query[at : match.start()].replace(":", "\\:"), match[0]]
            at = match.end()
    return "".join([*parts, query[at:].replace(":", "\\:")])
