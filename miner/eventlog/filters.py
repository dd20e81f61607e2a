"""Filters: an ordered stack of conditions on cases; one value for flags, screens, addresses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from miner.errors import InputError, UnknownNameError
from miner.eventlog.schema import CASE_STATUS

Parameters = dict[str, Any]

_UNITS = {"ms": 1e-3, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}


@dataclass(frozen=True)
class Kind:
    """One kind of condition: its flag, its help, and SQL for the cases it is true of."""

    name: str
    help: str
    metavar: str
    sql: str
    """A SELECT of `case_key`; the cases that the conditions before it left are `selected_case`."""
    parse: Callable[[str], Parameters]
    names: Literal["activity", "resource"] | None = None
    """What the parameters name, if it must be one that the log has."""


@dataclass(frozen=True)
class Condition:
    """One condition on a case."""

    kind: str
    value: str
    inverted: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownNameError("filter", self.kind, KINDS)
        KINDS[self.kind].parse(self.value)

    def parameters(self) -> Parameters:
        """The parameters of its SQL."""
        return KINDS[self.kind].parse(self.value)

    def names(self) -> list[str]:
        """The activities or resources that it names."""
        if KINDS[self.kind].names is None:
            return []
        found = self.parameters()
        if self.kind == "variant":
            return list(found["activities"] or [])
        return [str(name) for name in found.values()]

    def __str__(self) -> str:
        return f"{'not ' if self.inverted else ''}{self.kind} {self.value}"


@dataclass(frozen=True)
class LogFilter:
    """The cases that meet every condition, applied in order; each keeps all of its events.

    The order matters where a condition looks at the other cases, as `top-variants` does.
    """

    conditions: tuple[Condition, ...] = ()

    @classmethod
    def of(cls, *conditions: str | Condition) -> LogFilter:
        """From conditions, or from texts such as `"activity Pay"` or `"not longer-than 2d"`."""
        return cls(tuple(c if isinstance(c, Condition) else _condition(c) for c in conditions))

    @classmethod
    def from_json(cls, text: str) -> LogFilter:
        """The inverse of `to_json`; raises InputError for a text that no filter made."""
        try:
            found = json.loads(text)
            return cls(tuple(Condition(c["kind"], c["value"], c.get("not", False)) for c in found))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(
                "The filter in this address cannot be read.", hint="Take the filter away."
            ) from error

    def to_json(self) -> str:
        """One canonical text per filter: equal filters give equal texts."""
        found = [
            {"kind": c.kind, "value": c.value} | ({"not": True} if c.inverted else {})
            for c in self.conditions
        ]
        return json.dumps(found, ensure_ascii=False, separators=(",", ":"))

    def __bool__(self) -> bool:
        return bool(self.conditions)

    def __str__(self) -> str:
        return ", ".join(map(str, self.conditions)) or "all cases"


def _condition(text: str) -> Condition:
    inverted = text.startswith("not ")
    kind, _, value = text.removeprefix("not ").partition(" ")
    return Condition(kind, value, inverted)


def _text(value: str) -> Parameters:
    return {"value": value}


def _instant(value: str) -> Parameters:
    return {"value": _moment(value)}


def _end_of(value: str) -> Parameters:
    moment = _moment(value)
    is_day = re.fullmatch(r"\d{4}-\d{2}-\d{2}", value.strip())
    return {"value": moment + timedelta(days=1) if is_day else moment}


def _moment(value: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError as error:
        raise InputError(
            f"{value!r} is no date or time.", hint="Write 2026-03-31 or 2026-03-31T14:00:00Z."
        ) from error
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def seconds_of(value: str) -> float:
    """The seconds in a text such as `90`, `15min`, `2h`, `3d` or `1d 12h`."""
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([a-z]*)", value.strip().lower())
    rest = re.sub(r"(\d+(?:\.\d+)?)\s*([a-z]*)", "", value.strip().lower()).strip()
    if not parts or rest or any(unit and unit not in _UNITS for _, unit in parts):
        raise InputError(f"{value!r} is no duration.", hint="Write 90s, 15min, 2h, 3d or 1d 12h.")
    return float(sum(float(number) * _UNITS[unit or "s"] for number, unit in parts))


def _duration(value: str) -> Parameters:
    return {"value": round(seconds_of(value) * 1_000_000)}


def _number(value: str) -> Parameters:
    if not value.strip().isdecimal():
        raise InputError(f"{value!r} is no count.", hint="Write a whole number such as 10.")
    return {"value": int(value)}


def _share(value: str) -> Parameters:
    try:
        share = float(value)
    except ValueError:
        share = -1
    if not 0 <= share <= 1:
        raise InputError(f"{value!r} is no share.", hint="Write a number from 0 to 1, such as 0.8.")
    return {"value": share}


def _pair(value: str) -> Parameters:
    first, arrow, second = value.partition(">")
    if not arrow or not first.strip() or not second.strip():
        raise InputError(f"{value!r} names no two activities.", hint='Write "A>B".')
    return {"first": first.strip(), "second": second.strip()}


def _assignment(value: str) -> Parameters:
    key, sign, wanted = value.partition("=")
    if not sign or not key:
        raise InputError(f"{value!r} is no attribute and value.", hint="Write KEY=VALUE.")
    return {"key": key, "value": wanted}


def _status(value: str) -> Parameters:
    wanted = {"open": "running", "closed": "closed"}.get(value, value)
    if wanted not in (*CASE_STATUS, "closed"):
        raise UnknownNameError("status", value, (*CASE_STATUS, "open", "closed"))
    return {"value": wanted}


def _variant(value: str) -> Parameters:
    if value.strip().isdecimal():
        return {"rank": int(value), "activities": None}
    return {"rank": None, "activities": [name.strip() for name in value.split(">")]}


_WITH_ACTIVITY = """
select case_key
from "case"
where variant_key in (
    select variant_key
    from variant_activity
    where activity_key in (select activity_key from activity where activity = $value)
)
"""

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "since", "cases that started at this time or later", "TIME",
            'select case_key from "case" where started_at >= $value', _instant,
        ),
        Kind(
            "until", "cases whose last event was before this time; a date means its whole day",
            "TIME", 'select case_key from "case" where completed_at < $value', _end_of,
        ),
        Kind(
            "active-between", "cases with an event from TIME to TIME, written TIME..TIME", "TIMES",
            'select case_key from "case" where completed_at >= $low and started_at < $high',
            lambda value: _between(value),
        ),
        Kind("activity", "cases with this activity", "ACTIVITY", _WITH_ACTIVITY, _text, "activity"),
        Kind(
            "without-activity", "cases without this activity", "ACTIVITY",
            f'select case_key from "case" where case_key not in ({_WITH_ACTIVITY})',
            _text, "activity",
        ),
        Kind(
            "starts-with", "cases whose first activity is this one", "ACTIVITY",
            'select case_key from "case" where first_activity_key in '
            "(select activity_key from activity where activity = $value)", _text, "activity",
        ),
        Kind(
            "ends-with", "cases whose last activity is this one", "ACTIVITY",
            'select case_key from "case" where last_activity_key in '
            "(select activity_key from activity where activity = $value)", _text, "activity",
        ),
        Kind(
            "follows", "cases where B comes directly after A", '"A>B"',
            """
            select case_key
            from "case"
            semi join (
                select variant_key
                from variant_path
                where activity_key in (select activity_key from activity where activity = $first)
                    and next_activity_key in
                        (select activity_key from activity where activity = $second)
            ) using (variant_key)
            """, _pair, "activity",
        ),
        Kind(
            "eventually-follows", "cases where B comes some time after A", '"A>B"',
            """
            select f.case_key
            from (
                select case_key, min(number) as first_number
                from activity_instance
                where activity_key in (select activity_key from activity where activity = $first)
                group by case_key
            ) as f
            join (
                select case_key, max(number) as last_number
                from activity_instance
                where activity_key in (select activity_key from activity where activity = $second)
                group by case_key
            ) as s using (case_key)
            where last_number > first_number
            """, _pair, "activity",
        ),
        Kind(
            "variant", "cases of this variant: its rank, or its activities", 'N or "A>B>C"',
            """
            with ranked as (
                select variant_key, row_number() over (order by count(*) desc, variant_key) as rank
                from "case"
                semi join selected_case using (case_key)
                group by variant_key
            ),
            wanted as (
                select list(a.activity_key order by w.number) as keys
                from (
                    select unnest($activities::varchar[]) as name,
                        unnest(range(len($activities::varchar[]))) as number
                ) as w
                left join activity as a on a.activity = w.name
            )
            select case_key
            from "case"
            where variant_key in (select variant_key from ranked where rank = $rank)
                or variant_key in (
                    select variant_key
                    from variant
                    where activity_keys = (select keys from wanted)
                )
            """, _variant, "activity",
        ),
        Kind(
            "top-variants", "cases of the N most frequent variants", "N",
            """
            with ranked as (
                select variant_key, row_number() over (order by count(*) desc, variant_key) as rank
                from "case"
                semi join selected_case using (case_key)
                group by variant_key
            )
            select case_key
            from "case"
            semi join (select variant_key from ranked where rank <= $value) using (variant_key)
            """, _number,
        ),
        Kind(
            "variant-coverage", "cases of the most frequent variants that cover this share",
            "SHARE",
            """
            with counted as (
                select variant_key, count(*) as cases
                from "case"
                semi join selected_case using (case_key)
                group by variant_key
            ),
            running as (
                select
                    variant_key,
                    sum(cases) over (order by cases desc, variant_key rows unbounded preceding)
                        - cases as before,
                    sum(cases) over () as total
                from counted
            )
            select case_key
            from "case"
            semi join (select variant_key from running where before < $value * total)
                using (variant_key)
            """, _share,
        ),
        Kind(
            "longer-than", "cases with a cycle time above this", "DURATION",
            'select case_key from "case" where cycle_time > $value', _duration,
        ),
        Kind(
            "shorter-than", "cases with a cycle time below this", "DURATION",
            'select case_key from "case" where cycle_time < $value', _duration,
        ),
        Kind(
            "min-instances", "cases with at least N activity instances", "N",
            'select case_key from "case" where instances >= $value', _number,
        ),
        Kind(
            "max-instances", "cases with at most N activity instances", "N",
            'select case_key from "case" where instances <= $value', _number,
        ),
        Kind(
            "attribute", "cases where an attribute of the case or of an event has this value",
            "KEY=VALUE",
            """
            select case_key
            from case_identity
            where attributes is not null
                and variant_extract(attributes, $key)::varchar = $value
            union
            select case_key
            from event_detail
            where attributes is not null
                and variant_extract(attributes, $key)::varchar = $value
            """, _assignment,
        ),
        Kind(
            "case", "the case with this id", "CASE_ID",
            "select case_key from case_identity where case_id = $value", _text,
        ),
        Kind(
            "resource", "cases that this resource worked on", "RESOURCE",
            """
            select distinct case_key
            from activity_instance
            where resource_key in (select resource_key from resource where resource = $value)
            """, _text, "resource",
        ),
        Kind(
            "version", "cases that ran on this version of the workflow", "VERSION",
            'select case_key from "case" where version_key in '
            "(select version_key from process_version where process_version = $value)", _text,
        ),
        Kind(
            "status", f"cases that are open, closed, or {', '.join(CASE_STATUS)}", "STATUS",
            """
            select case_key
            from "case"
            where case $value
                when 'closed' then status <> 'running'
                else status::varchar = $value
            end
            """, _status,
        ),
        Kind(
            "failed-at", "cases where this activity failed at least once", "ACTIVITY",
            """
            select distinct case_key
            from activity_instance
            where status in ('failed', 'timed_out')
                and activity_key in (select activity_key from activity where activity = $value)
            """, _text, "activity",
        ),
        Kind(
            "rework-of", "cases where this activity was done again", "ACTIVITY",
            """
            select case_key
            from activity_instance
            where activity_key in (select activity_key from activity where activity = $value)
            group by case_key
            having count(*) - count(*) filter (where retry) > 1
                or count(*) > 1 and count(*) filter (where retry) < count(*) - 1
            """, _text, "activity",
        ),
        Kind(
            "error", "cases with an error of this type", "TYPE",
            "select distinct case_key from activity_instance where error_key in "
            "(select error_key from error where error_type = $value)", _text,
        ),
    )
}  # fmt: skip


def _between(value: str) -> Parameters:
    low, dots, high = value.partition("..")
    if not dots:
        raise InputError(f"{value!r} names no two times.", hint="Write 2026-03-01..2026-03-31.")
    return {"low": _moment(low), "high": _end_of(high)["value"]}


def in_order(conditions: Iterable[tuple[str, str | bool]]) -> LogFilter:
    """A filter from flags in the order they were given; a `not` inverts the one after it."""
    found: list[Condition] = []
    invert = False
    for kind, value in conditions:
        if kind == "not":
            invert = not invert
        else:
            found.append(Condition(kind, str(value), invert))
            invert = False
    if invert:
        raise InputError(
            "--not stands at the end and inverts nothing.", hint="Put a filter after it."
        )
    return LogFilter(tuple(found))
