"""Texts of a column translated one by one, each distinct one once."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import polars as pl


def translate(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    column: str,
    translation: Callable[[str], str],
    *,
    to: str | None = None,
) -> None:
    """Replace the texts of a column by their translations, or add these as the column `to`."""
    found = connection.sql(f"select distinct {column} as word from {table}").pl()["word"]
    words = found.drop_nulls().to_list()
    meanings = pl.DataFrame(
        {"word": words, "meaning": [translation(word) for word in words]},
        schema={"word": pl.String(), "meaning": pl.String()},
    )
    connection.register("translated", meanings)
    kept = "" if to else f" exclude ({column})"
    try:
        connection.execute(
            f"create or replace temp table {table} as "
            f"select columns(t.*{kept}), w.meaning as {to or column} "
            f"from {table} as t left join translated as w on w.word = t.{column}"
        )
    finally:
        connection.unregister("translated")
