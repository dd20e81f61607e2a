"""Working calendars, and limits in elapsed or in business time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from miner.errors import InputError
from miner.eventlog.filter_values import seconds_of

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONGEST_YEARS = 200
"""Years between the first and the last event that a calendar is laid out for."""
_BUSINESS = re.compile(
    r"(\d+(?:\.\d+)?)\s+(?:business|working)\s+(day|hour|minute)s?", re.IGNORECASE
)
_PLAIN = re.compile(r"(\d+(?:\.\d+)?)\s+(week|day|hour|minute|second)s?", re.IGNORECASE)
_SECONDS = {"week": 604_800, "day": 86_400, "hour": 3_600, "minute": 60, "second": 1}


@dataclass(frozen=True)
class Calendar:
    """When work is done: hours per weekday in a zone, without the holidays."""

    zone: str = "UTC"
    hours: tuple[tuple[int, time, time], ...] = tuple(
        (weekday, time(9), time(17)) for weekday in range(5)
    )
    """Weekday (Monday is 0), opening, closing; in order and apart from each other."""
    holidays: tuple[date, ...] = ()

    @property
    def day(self) -> timedelta:
        """A business day: the mean length of the weekdays on which work is done."""
        lengths = [_length(opens, closes) for _, opens, closes in self.hours]
        return sum(lengths, timedelta()) / len({weekday for weekday, _, _ in self.hours})


@dataclass(frozen=True)
class Limit:
    """A span of time, elapsed or counted in the hours of a calendar."""

    text: str
    time: timedelta
    business: bool = False


@dataclass(frozen=True)
class Working:
    """Intervals of work in UTC, with the work before each in microseconds.

    The first is empty and lies before all instants, so that each instant has one before it.
    """

    opens: tuple[datetime, ...]
    closes: tuple[datetime, ...]
    worked: tuple[int, ...]


def limit_of(text: str, calendar: Calendar) -> Limit:
    """The limit in `3 business days`, `4 business hours`, `36 hours`, `2h` or `1d 12h`.

    A business day is as long as the mean one of the calendar. Raises InputError for another text.
    """
    found = _BUSINESS.fullmatch(text.strip())
    if found:
        number, unit = float(found[1]), found[2].lower()
        one = calendar.day if unit == "day" else timedelta(seconds=_SECONDS[unit])
        return Limit(text, number * one, business=True)
    plain = _PLAIN.fullmatch(text.strip())
    if plain:
        return Limit(text, timedelta(seconds=float(plain[1]) * _SECONDS[plain[2].lower()]))
    try:
        return Limit(text, timedelta(seconds=seconds_of(text)))
    except InputError as error:
        raise InputError(
            error.message, hint="Write 2h, 1d 12h, 36 hours, 3 business days or 4 business hours."
        ) from None


@lru_cache(maxsize=16)
def working(calendar: Calendar, first: datetime, last: datetime) -> Working:
    """The working intervals from the day of `first` to that of `last`, both naive and UTC.

    Hours are local: their instants move with daylight saving. Raises InputError for more than
    `LONGEST_YEARS` between the two.
    """
    if last - first > timedelta(days=366 * LONGEST_YEARS):
        raise InputError(
            f"Business time cannot be counted from {first:%Y-%m-%d} to {last:%Y-%m-%d}.",
            hint="Some event has a wrong time; leave its case out with --since or --until.",
        )
    opens, closes, worked = [datetime(1, 1, 1)], [datetime(1, 1, 1)], [0]
    done = 0
    for begins, ends in _intervals(calendar, first.date(), last.date()):
        opens.append(begins)
        closes.append(ends)
        worked.append(done)
        done += (ends - begins) // timedelta(microseconds=1)
    return Working(tuple(opens), tuple(closes), tuple(worked))


def _intervals(calendar: Calendar, first: date, last: date) -> Iterator[tuple[datetime, datetime]]:
    zone, free = ZoneInfo(calendar.zone), set(calendar.holidays)
    day = max(first, date(1, 1, 3)) - timedelta(days=1)  # the zone may be a day behind or ahead
    while day <= last + timedelta(days=1):
        for weekday, opens, closes in calendar.hours:
            if weekday == day.weekday() and day not in free:
                begins, ends = _instant(day, opens, zone), _instant(day, closes, zone)
                if ends <= begins:  # closing at midnight
                    ends = _instant(day + timedelta(days=1), closes, zone)
                yield begins, ends
        day += timedelta(days=1)


def _instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, zone).astimezone(UTC).replace(tzinfo=None)


def _length(opens: time, closes: time) -> timedelta:
    some = date(2026, 1, 5)
    length = datetime.combine(some, closes) - datetime.combine(some, opens)
    return length if length > timedelta() else length + timedelta(days=1)
