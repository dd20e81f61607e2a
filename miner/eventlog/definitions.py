"""Modelled workflows as their systems gave them, and what sources could not tell."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb
import polars as pl

from miner.eventlog import engine
from miner.eventlog.schema import INSTANT

MODELS = pl.Schema(
    {
        "process": pl.String(),
        "version": pl.String(),
        "format": pl.String(),
        "definition_id": pl.String(),
        "valid_from": INSTANT,
        "source": pl.String(),
        "sha256": pl.String(),
        "cases": pl.Int64(),
    }
)


def models(connection: duckdb.DuckDBPyConnection, process: str | None = None) -> pl.DataFrame:
    """The modelled workflows that the store knows, of one process or of all.

    Returns `MODELS`, one row per version and text, in order of process and validity; `cases` are
    those that ran on the version, `version` and `valid_from` are null where the source did not say.
    """
    with engine.translated():
        found: pl.DataFrame = connection.sql(_MODELS, params={"process": process}).pl()
    return found.cast(MODELS)


@dataclass(frozen=True)
class Definition:
    """A modelled workflow: its source text and the version that cases ran on."""

    process: str | None
    """Null: the process named at loading."""
    version: str | None
    """As in `process_version` of the events that ran on it; null: unknown."""
    format: str
    """The language of the text: `bpmn`, `asl`, `airflow`, …"""
    text: str
    """Exactly what the system gave."""
    valid_from: datetime | None = None
    """UTC, naive; null: unknown."""
    definition_id: str | None = None
    """What the system calls it."""

    @property
    def sha256(self) -> str:
        """The digest of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class Limitation:
    """Something a source could not tell, and the measures that this touches."""

    kind: str
    """A short name: `missing-attempts`, `retention`, `sampling`, `clock-skew`, `late`, …"""
    text: str
    """One sentence for people."""
    measures: tuple[str, ...]
    """The measures to read with care, as `failure_rate`."""
    events: int | None = None
    """How many events it is about; null: unknown."""


def unknown(
    connection: duckdb.DuckDBPyConnection, definitions: Sequence[Definition], *, process: str
) -> list[Definition]:
    """Those of the definitions that the store does not have yet, each once."""
    found: dict[tuple[object, ...], Definition] = {}
    for each in definitions:
        parameters = _identity(each, process)
        if not connection.execute(_KNOWN, parameters).fetchall():
            found[tuple(parameters.values())] = each
    return list(found.values())


def define(
    connection: duckdb.DuckDBPyConnection, definitions: Sequence[Definition], *, source: str,
    process: str, load_id: int | None,
) -> None:  # fmt: skip
    """Keep definitions, which the store must not have yet."""
    for each in definitions:
        parameters = _identity(each, process) | {
            "definition_id": each.definition_id,
            "text": each.text,
            "valid_from": each.valid_from,
            "source": source,
            "load_id": load_id,
        }
        connection.execute(_DEFINE, parameters)


def _identity(definition: Definition, process: str) -> dict[str, str | None]:
    return {
        "process": definition.process or process,
        "version": definition.version,
        "format": definition.format,
        "sha256": definition.sha256,
    }


def limit(
    connection: duckdb.DuckDBPyConnection, found: Sequence[Limitation], *, process: str,
    load_id: int,
) -> None:  # fmt: skip
    """Keep what a load could not tell; the same statement again adds to its number of events."""
    for each in found:
        parameters = {
            "load_id": load_id,
            "process": process,
            "kind": each.kind,
            "text": each.text,
            "measures": list(each.measures),
            "events": each.events,
        }
        known = {key: parameters[key] for key in ("load_id", "kind", "text", "events")}
        changed = connection.execute(_LIMIT_AGAIN, known).fetchall()
        if not changed:
            connection.execute(_LIMIT, parameters)


_MODELS = """
with ran as (
    select p.process, v.process_version as version, count(*) as cases
    from "case" as c
    join process as p using (process_key)
    join process_version as v using (version_key)
    group by p.process, v.process_version
)
select
    d.process, d.version, d.format, d.definition_id, d.valid_from, d.source, d.sha256,
    coalesce(r.cases, 0) as cases
from definition as d
left join ran as r on r.process = d.process and r.version = d.version
where $process is null or d.process = $process
order by d.process, d.valid_from nulls last, length(d.version), d.version, d.sha256
"""

_KNOWN = """
select 1
from definition
where process = $process
    and version is not distinct from $version
    and format = $format
    and sha256 = $sha256
"""

_DEFINE = """
insert into definition by name
select
    $process as process,
    $version as version,
    $format as format,
    $definition_id as definition_id,
    $text as text,
    $sha256 as sha256,
    $valid_from::timestamp as valid_from,
    $source as source,
    $load_id as load_id
"""

_LIMIT_AGAIN = """
update limitation
set events = events + $events
where load_id = $load_id and kind = $kind and text = $text
returning 1
"""

_LIMIT = """
insert into limitation by name
select
    $load_id as load_id,
    $process as process,
    $kind as kind,
    $text as text,
    $measures::varchar[] as measures,
    $events::bigint as events
"""
