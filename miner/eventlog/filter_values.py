"""The values of filters: times, durations, counts, shares and pairs, as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from miner.errors import InputError, UnknownNameError
from miner.eventlog.schema import CASE_STATUS

Parameters = dict[str, Any]

_UNITS = {"ms": 1e-3, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}


def text(value: str) -> Parameters:
    """Any text."""
    return {"value": value}


def instant(value: str) -> Parameters:
    """A date or a time; naive ones are UTC."""
    return {"value": moment(value)}


def end_of(value: str) -> Parameters:
    """The end of what is written: of a whole day for a date."""
    begins = moment(value)
    is_day = re.fullmatch(r"\d{4}-\d{2}-\d{2}", value.strip())
    return {"value": begins + timedelta(days=1) if is_day else begins}


def moment(value: str) -> datetime:
    """An instant, naive and UTC; raises InputError for what is none."""
    try:
        found = datetime.fromisoformat(value.strip())
    except ValueError as error:
        raise InputError(
            f"{value!r} is no date or time.", hint="Write 2026-03-31 or 2026-03-31T14:00:00Z."
        ) from error
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found


def seconds_of(value: str) -> float:
    """The seconds in a text such as `90`, `15min`, `2h`, `3d` or `1d 12h`."""
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([a-z]*)", value.strip().lower())
    rest = re.sub(r"(\d+(?:\.\d+)?)\s*([a-z]*)", "", value.strip().lower()).strip()
    if not parts or rest or any(unit and unit not in _UNITS for _, unit in parts):
        raise InputError(f"{value!r} is no duration.", hint="Write 90s, 15min, 2h, 3d or 1d 12h.")
    return float(sum(float(number) * _UNITS[unit or "s"] for number, unit in parts))


def duration(value: str) -> Parameters:
    """A duration, in whole microseconds."""
    return {"value": round(seconds_of(value) * 1_000_000)}


def number(value: str) -> Parameters:
    """A whole number."""
    if not value.strip().isdecimal():
        raise InputError(f"{value!r} is no count.", hint="Write a whole number such as 10.")
    return {"value": int(value)}


def share(value: str) -> Parameters:
    """A number from 0 to 1."""
    try:
        share = float(value)
    except ValueError:
        share = -1
    if not 0 <= share <= 1:
        raise InputError(f"{value!r} is no share.", hint="Write a number from 0 to 1, such as 0.8.")
    return {"value": share}


def pair(value: str) -> Parameters:
    """Two activities, written A>B."""
    first, arrow, second = value.partition(">")
    if not arrow or not first.strip() or not second.strip():
        raise InputError(f"{value!r} names no two activities.", hint='Write "A>B".')
    return {"first": first.strip(), "second": second.strip()}


def assignment(value: str) -> Parameters:
    """A key and a value, written KEY=VALUE."""
    key, sign, wanted = value.partition("=")
    if not sign or not key:
        raise InputError(f"{value!r} is no attribute and value.", hint="Write KEY=VALUE.")
    return {"key": key, "value": wanted}


def status(value: str) -> Parameters:
    """A status of cases, or open or closed."""
    wanted = {"open": "running", "closed": "closed"}.get(value, value)
    if wanted not in (*CASE_STATUS, "closed"):
        raise UnknownNameError("status", value, (*CASE_STATUS, "open", "closed"))
    return {"value": wanted}


def variant(value: str) -> Parameters:
    """A rank, or activities written A>B>C."""
    if value.strip().isdecimal():
        return {"rank": int(value), "activities": None}
    return {"rank": None, "activities": [name.strip() for name in value.split(">")]}


def between(value: str) -> Parameters:
    """Two times, written TIME..TIME."""
    low, dots, high = value.partition("..")
    if not dots:
        raise InputError(f"{value!r} names no two times.", hint="Write 2026-03-01..2026-03-31.")
    return {"low": moment(low), "high": end_of(high)["value"]}
