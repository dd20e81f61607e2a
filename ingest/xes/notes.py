"""What a person should know about a XES file that was read."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import duckdb

from ingest.source import Note
from ingest.xes.elements import XesElements
from ingest.xes.events import Found

TEXTS = {
    "naive": ("timestamp", "{n} timestamps without an offset were read as {zone} ({example})."),
    "finer": ("timestamp", "{n} timestamps finer than a microsecond were cut off ({example})."),
    "mistyped": ("attributes", "{n} values are not of their type and stay text ({example})."),
    "repeated": ("attributes", "{n} attributes repeat a key; the last counts ({example})."),
    "broken": ("attributes", "{n} attributes without a key or a value are left out ({example})."),
    "status": ("case", "{n} unknown values of procession:status stay attributes ({example})."),
}


def notes(
    elements: XesElements,
    found: Found,
    connection: duckdb.DuckDBPyConnection,
    tables: tuple[str, str],
    zone: str,
) -> tuple[Note, ...]:
    """What was decided or left out, in the order case, event, timestamp, attributes."""
    return (
        *_of_cases(elements, connection, tables),
        *found_notes(found, zone),
        *_of_elements(elements),
    )


def found_notes(found: Found, zone: str) -> Iterator[Note]:
    """Notes on what was found in attributes and timestamps."""
    for what, (subject, text) in TEXTS.items():
        if n := found.counts[what]:
            yield Note(subject, text.format(n=f"{n:,}", zone=zone, example=found.examples[what]))


def filled(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Collection[str]
) -> frozenset[str]:
    """Which columns of a temporary table have a value in any row."""
    names = sorted(columns)
    counts = ", ".join(f'count("{name}")' for name in names)
    counted = _one(connection, f"select {counts} from temp.{table}")
    return frozenset(name for name, count in zip(names, counted, strict=True) if count)


def _of_elements(elements: XesElements) -> Iterator[Note]:
    if elements.unknown:
        named = ", ".join(f"<{name}>" for name in sorted(elements.unknown))
        yield Note("attributes", f"Elements that XES does not know were read as text: {named}.")


def _of_cases(
    elements: XesElements, connection: duckdb.DuckDBPyConnection, tables: tuple[str, str]
) -> Iterator[Note]:
    events, traces = tables
    if elements.empty_traces:
        yield Note("case", f"{elements.empty_traces:,} traces have no events and become no case.")
    unnamed, example, merged, repeated = _one(
        connection,
        f"""
        select
            count(*) filter (unnamed),
            any_value(case_id) filter (unnamed),
            count(*) - count(distinct case_id),
            (select any_value(case_id) from (
                select case_id from temp.{traces} group by case_id having count(*) > 1
            ))
        from temp.{traces}
        """,
    )
    if unnamed:
        yield Note(
            "case", f"{unnamed:,} traces have no name; they are called {example!r} and so on."
        )
    if merged:
        yield Note(
            "case",
            f"{merged:,} traces have the name of an earlier one and became one case with it "
            f"({repeated!r}); each event carries the attributes of its own trace.",
        )
    ids, shared = _one(
        connection, f"select count(event_id), count(distinct event_id) from temp.{events}"
    )
    if ids > shared:
        again = f"{ids - shared:,} events have the identity:id of an earlier one"
        yield Note("event", f"{again} and count as the same.")


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    [row] = connection.sql(sql).fetchall()
    found: tuple[Any, ...] = row
    return found
