"""Names and texts as they are written in SQL, so that nothing in them is executed."""

from __future__ import annotations


def literal(text: str) -> str:
    """A text as a string literal. A zero byte ends a statement for DuckDB, so it is spelled out."""
    quoted = text.replace("'", "''")
    if "\0" not in quoted:
        return f"'{quoted}'"
    return "(" + " || chr(0) || ".join(f"'{part}'" for part in quoted.split("\0")) + ")"


def identifier(name: str) -> str:
    """The name of a table or column, quoted."""
    return '"' + name.replace('"', '""') + '"'
