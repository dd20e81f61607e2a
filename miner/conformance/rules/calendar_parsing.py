"""The working calendar of a file of rules."""

from __future__ import annotations

import re
from datetime import date, time
from itertools import pairwise
from zoneinfo import ZoneInfo

from miner.conformance.rules.calendar import WEEKDAYS, Calendar
from miner.conformance.rules.document import Value

_DAYS = re.compile(r"([a-z]{3})(?:\s*-\s*([a-z]{3}))?")
_HOURS = re.compile(r"(\d{1,2}:\d{2})\s*-\s*(\d{1,2}:\d{2})")

Hours = tuple[int, time, time]


def calendar_of(value: Value | None) -> Calendar:
    """The calendar written in a file; Monday to Friday 9 to 17 in UTC where nothing is.

    Raises ModelError with the line for a zone that is not known, days and hours that are none, and
    hours that overlap.
    """
    if value is None:
        return Calendar()
    entries = value.entries(("zone", "hours", "holidays"))
    found = Calendar(zone=_zone(entries["zone"])) if "zone" in entries else Calendar()
    hours, holidays = found.hours, found.holidays
    if "hours" in entries:
        hours = _hours(entries["hours"])
    if "holidays" in entries:
        holidays = tuple(sorted(_day(each) for each in entries["holidays"].items()))
    return Calendar(found.zone, hours, holidays)


def _zone(value: Value) -> str:
    name = value.text()
    try:
        return ZoneInfo(name).key
    except (KeyError, ValueError, OSError):
        raise value.error(
            f"There is no time zone {name!r}.", hint="Write one such as Europe/Berlin."
        ) from None


def _day(value: Value) -> date:
    try:
        return date.fromisoformat(value.text())
    except ValueError:
        raise value.error(f"{value.text()!r} is no date.", hint="Write 2026-12-25.") from None


def _hours(value: Value) -> tuple[Hours, ...]:
    found: list[Hours] = []
    for days, each in value.entries().items():
        spans = [_span(span) for span in (each.items() if each.is_list else (each,))]
        found += [(day, *span) for day in _weekdays(days, each) for span in spans]
    found.sort()
    for (day, _, closes), (next_day, opens, _) in pairwise(found):
        if day == next_day and (opens < closes or closes == time()):
            raise value.error(f"The hours of {WEEKDAYS[day]} overlap.", hint="Join them.")
    return tuple(found)


def _weekdays(text: str, value: Value) -> list[int]:
    match = _DAYS.fullmatch(text.strip().lower())
    names = [name for name in match.groups() if name] if match else []
    if not names or not set(names) <= set(WEEKDAYS):
        raise value.error(f"{text!r} is no weekday.", hint="Write mon, tue or mon-fri.")
    first, last = WEEKDAYS.index(names[0]), WEEKDAYS.index(names[-1])
    if last < first:
        raise value.error(f"{text!r} runs backwards.", hint="A week begins on mon here.")
    return list(range(first, last + 1))


def _span(value: Value) -> tuple[time, time]:
    text = value.text()
    match = _HOURS.fullmatch(text)
    try:
        opens, closes = (_time(part) for part in match.groups()) if match else (None, None)
    except ValueError:
        opens = closes = None
    if opens is None or closes is None or (closes <= opens and closes != time()):
        raise value.error(
            f"{text!r} are no hours of a day.", hint='Write "08:00-17:00" in quotation marks.'
        )
    return opens, closes


def _time(text: str) -> time:
    hour, minute = text.split(":")
    return time() if (hour, minute) == ("24", "00") else time(int(hour), int(minute))
