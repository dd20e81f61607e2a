"""When the events of a table happened: instants, and what is wrong with those that are not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import duckdb

from ingest.source import Note
from ingest.sql import literal
from ingest.tables.columns import Column, Roles
from ingest.tables.time_zones import Stretch, instant_sql, stretches, trouble_sql
from ingest.tables.timestamps import Times, read_times
from ingest.tables.written_times import TimeColumn

EARLIEST, LATEST = datetime(1900, 1, 1), datetime(2201, 1, 1)
"""Times outside are mistakes, such as 9999-12-31 for "never"."""
LONGEST_SHOWN = 100


@dataclass(frozen=True)
class EventTimes:
    """SQL for the instants of a row, and the checks they have to pass."""

    instants: str
    """Columns `completed_at` and `started_at`, naive and UTC; null where there is none."""
    reasons: tuple[str, ...]
    """Branches of a CASE that says why the times of a row cannot be used."""
    pair: str | None
    """SQL for what a start and a completion of one row share; None without starts."""
    how: dict[str, str]
    """How the texts of a role are written, where that was found out."""
    notes: tuple[Note, ...]


def event_times(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    roles: Roles,
    *,
    day_first: bool | None,
    timezone: str | None,
    daylight_saving: str,
) -> EventTimes:
    """How to read the columns `timestamp` and `start` of a table as instants.

    Times without an offset are taken as local times of `timezone`, or of UTC if that is None.
    """
    stamp, start = roles.columns["timestamp"], roles["start"]
    if start and start.name == stamp.name:
        start = None
    asked = [("completed_at", "timestamp", stamp)] + (
        [("started_at", "start", start)] if start else []
    )
    columns = [TimeColumn(c.name, c.sql, c.type, may_miss=start is not None) for *_, c in asked]
    read = read_times(connection, relation, columns, day_first)
    how = {role: times.how for (_, role, _), times in zip(asked, read, strict=True) if times.how}
    notes: list[Note] = []
    naive = [times for times in read if times.local]
    rules: tuple[Stretch, ...] = ()
    if naive and timezone:
        rules = _rules(connection, relation, naive, timezone)
    elif naive:
        text = "UTC for times without an offset; say another one with --timezone"
        notes.append(Note("timezone", text))
    instants, reasons = [], [_missing(asked, read)]
    for (name, role, _), times in zip(asked, read, strict=True):
        at = _instant(times, rules, daylight_saving)
        instants.append(f"{at} as {name}")
        reasons += _checks(name, role, times, rules, timezone or "UTC")
    pair = None
    if start is None:
        instants.append("null::timestamp as started_at")
    else:
        ended, began = (f"{times.value}::varchar" for times in read)
        pair = f"{began} || '/' || {ended}"
        order = f"'end ' || {ended} || ' is before start ' || {began}"
        reasons.append(f"when completed_at < started_at then {order}")
    return EventTimes(", ".join(instants), tuple(reasons), pair, how, tuple(notes))


def _rules(
    connection: duckdb.DuckDBPyConnection, relation: str, naive: list[Times], timezone: str
) -> tuple[Stretch, ...]:
    """The rules of the time zone for as long as the log runs."""
    found = [at for times in naive for at in times.span or ()]
    if open_ended := [times.local for times in naive if times.span is None]:
        ends = ", ".join(f"min({local}), max({local})" for local in open_ended)
        [more] = connection.sql(f"select {ends} from {relation}").fetchall()
        found += more
    inside = [min(max(at, EARLIEST), LATEST) for at in found if at is not None]
    if not inside:
        return ()
    first, last = min(inside), max(inside)
    return stretches(timezone, datetime(first.year, 1, 1), datetime(last.year, 12, 31))


def _instant(times: Times, rules: tuple[Stretch, ...], choice: str) -> str:
    local = times.local
    if local and rules:
        local = instant_sql(local, rules, choice)
    if times.utc and local:
        return f"coalesce({times.utc}, {local})"
    return times.utc or local or "null::timestamp"


def _missing(asked: list[tuple[str, str, Column]], read: list[Times]) -> str:
    none = " and ".join(f"{times.value} is null" for times in read)
    names = " and ".join(repr(column.name) for *_, column in asked)
    return f"when {none} then {literal(f'no timestamp: {names} empty')}"


def _checks(name: str, role: str, times: Times, rules: tuple[Stretch, ...], zone: str) -> list[str]:
    shown = f"{literal(role)} || ' ''' || left({times.value}::varchar, {LONGEST_SHOWN}) || ''' '"
    checks = []
    if times.local and rules:
        trouble = trouble_sql(times.local, rules, zone)
        if trouble != "null":
            checks.append(
                f"when {name} is null and {trouble} is not null then {shown} || {trouble}"
            )
    unread = f"{name} is null and {times.value} is not null"
    checks.append(f"when {unread} then {shown} || 'cannot be read as a time'")
    bounds = f"{name} < timestamp '{EARLIEST}' or {name} >= timestamp '{LATEST}'"
    reason = f"is not between {EARLIEST.year} and {LATEST.year - 1}"
    checks.append(f"when {bounds} then {shown} || {literal(reason)}")
    return checks
