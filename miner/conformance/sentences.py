"""Deviations in the words of the people whose work it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def sentence(row: Mapping[str, Any]) -> str:
    """One deviation, a row of `DEVIATION`, as a sentence.

    What is not known is left out: a row with no resource names nobody. Ends with a full stop.
    """
    return _WORDS[row["kind"]](row) + "."


def amount(time: timedelta) -> str:
    """A duration in its largest unit, as people say it: `3 days`, `1.5 hours`."""
    seconds = abs(time.total_seconds())
    for unit, length in _UNITS:
        if seconds >= length:
            number = f"{seconds / length:.1f}".removesuffix(".0")
            return f"{number} {unit}{'' if number == '1' else 's'}"
    return "less than a second"


def _by(row: Mapping[str, Any]) -> str:
    return f", by {row['resource']}" if row["resource"] else ""


def _after(row: Mapping[str, Any], words: str = "after") -> str:
    return f" {words} {row['expected_after']}" if row["expected_after"] else ""


def _skipped(row: Mapping[str, Any]) -> str:
    late = f", {amount(row['added_time'])} overdue" if row["added_time"] else ""
    return f"{row['activity']} was not done{_after(row)}{late}"


def _extra(row: Mapping[str, Any]) -> str:
    if not row["activity"]:
        return f"The case does not keep to the rule {row['rule']}"
    cost = f", taking {amount(row['added_time'])}" if row["added_time"] else ""
    return f"{row['activity']} was done though it should not have been{_by(row)}{cost}"


def _swapped(row: Mapping[str, Any]) -> str:
    return f"{row['activity']} was done out of order{_after(row, 'instead of after')}{_by(row)}"


def _repeated(row: Mapping[str, Any]) -> str:
    cost = f", taking {amount(row['added_time'])} more" if row["added_time"] else ""
    return f"{row['activity']} was done again{_by(row)}{cost}"


def _replaced(row: Mapping[str, Any]) -> str:
    if row.get("instead"):
        return f"{row['activity']} was done instead of {row['instead']}{_by(row)}"
    place = _after(row, "what should have come after") or " another activity"
    return f"{row['activity']} was done in the place of{place}{_by(row)}"


def _too_late(row: Mapping[str, Any]) -> str:
    over = f", {amount(row['added_time'])} later than allowed" if row["added_time"] else ""
    return f"{row['activity']} was done too late{_after(row)}{_by(row)}{over}"


def _too_early(row: Mapping[str, Any]) -> str:
    under = f", {amount(row['added_time'])} earlier than allowed" if row["added_time"] else ""
    place = _after(row, "before") or " too early"
    return f"{row['activity']} was done{place}{_by(row)}{under}"


def _same_person(row: Mapping[str, Any]) -> str:
    who = f" ({row['resource']})" if row["resource"] else ""
    other = _after(row, "as") or " as other work that must be kept apart from it"
    return f"{row['activity']} was done by the same person{who}{other}"


def _wrong_role(row: Mapping[str, Any]) -> str:
    who = row["resource"] or "somebody"
    return f"{row['activity']} was done by {who}, who may not do it"


_WORDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "skipped": _skipped,
    "extra": _extra,
    "swapped": _swapped,
    "repeated": _repeated,
    "replaced": _replaced,
    "too_late": _too_late,
    "too_early": _too_early,
    "same_person": _same_person,
    "wrong_role": _wrong_role,
}
