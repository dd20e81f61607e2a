"""Times of mapped records: each value is read by itself, so that it always means the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ingest.mapping.values import Settings
from ingest.sql import literal
from ingest.tables.columns import Column
from ingest.tables.event_times import EARLIEST, LATEST, LONGEST_SHOWN
from ingest.tables.time_zones import Stretch, instant_sql, stretches, trouble_sql
from ingest.tables.timestamps import TYPED, is_aware, utc_of
from ingest.tables.written_times import AWARE_ISO, EPOCHS, NAIVE_ISO, TimeColumn, Written
from ingest.tables.written_times import T as TEXT

Years = tuple[int, int]
ALL_YEARS: Years = (EARLIEST.year, LATEST.year - 1)


@dataclass(frozen=True)
class MappedTime:
    """SQL for the instant in a column, and for what is wrong with it, in three steps."""

    columns: str
    """First, over the column: `…_text`, `…_utc` and `…_local`."""
    instant: str
    """Then, over these: a naive timestamp in UTC as `…_at`."""
    reason: str
    """Last: why there is a value but no instant that can be used, null if all is well."""


def mapped_time(
    column: Column, key: str, name: str, settings: Settings, years: Years
) -> MappedTime:
    """How to read the times in a column: typed ones, ISO 8601, epochs, or as the settings say.

    The columns it makes begin with `name`. `years` are the first and the last year of local times.
    """
    utc, local = _readings(column, settings)
    text, at = f"{name}_text", f"{name}_at"
    value = f"{column.sql}::varchar"
    if not column.type.startswith(TYPED):
        value = TimeColumn(column.name, column.sql, column.type).text
    none = "null::timestamp"
    columns = f"{value} as {text}, {utc or none} as {name}_utc, {local or none} as {name}_local"
    shown = f"{literal(key)} || ' ''' || left({text}, {LONGEST_SHOWN}) || ''' '"
    instant, trouble = f"{name}_utc", "null"
    if local and settings.timezone:
        rules = _rules(settings.timezone, years)
        instant = instant_sql(f"{name}_local", rules, settings.daylight_saving)
        instant = f"coalesce({name}_utc, {instant})"
        trouble = trouble_sql(f"{name}_local", rules, settings.timezone)
    elif local:
        without = literal("has no offset; the mapping has to say timezone = …")
        trouble = f"case when {name}_local is not null then {without} end"
    bounds = f"{at} < timestamp '{EARLIEST}' or {at} >= timestamp '{LATEST}'"
    outside = f"is not between {EARLIEST.year} and {LATEST.year - 1}"
    reason = (
        f"case when {text} is null then null "
        f"when {at} is null then {shown} || coalesce({trouble}, 'cannot be read as a time') "
        f"when {bounds} then {shown} || {literal(outside)} end"
    )
    return MappedTime(columns, f"{instant} as {at}", reason)


def _rules(zone: str, years: Years) -> tuple[Stretch, ...]:
    first, last = (min(max(year, EARLIEST.year), LATEST.year - 1) for year in years)
    return stretches(zone, datetime(first, 1, 1), datetime(last, 12, 31))


def _readings(column: Column, settings: Settings) -> tuple[str | None, str | None]:
    """SQL for instants, and for local times."""
    if column.type.startswith(TYPED):
        at = utc_of(column.sql, column.type)
        return (at, None) if is_aware(column.type) else (None, at)
    given = TimeColumn(column.name, column.sql, column.type)
    utc: list[str] = []
    local: list[str] = []
    for each in settings.timestamp_format or ("iso", *EPOCHS):
        if each == "iso":
            utc.append(f"make_timestamp({AWARE_ISO})")
            local.append(NAIVE_ISO)
        elif each in EPOCHS and settings.timestamp_format:
            utc.append(f"make_timestamp({EPOCHS[each][1]})")
        elif each in EPOCHS:
            utc += Written(given, numbers=[each]).readings(lambda _: ())[0]
        elif "%z" in each:
            utc.append(f"make_timestamp(epoch_us(try_strptime({TEXT}, {literal(each)})))")
        else:
            local.append(f"try_strptime({TEXT}, {literal(each)})")
    return _first(utc, given.text), _first(local, given.text)


def _first(choices: list[str], value: str) -> str | None:
    joined = ", ".join(choices).replace(TEXT, f"({value})")
    return f"coalesce({joined})" if joined else None
