"""Filters: an ordered stack of conditions on cases; one value for flags, screens, addresses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from miner.errors import InputError, UnknownNameError
from miner.eventlog import filter_values as values
from miner.eventlog.filter_values import Parameters
from miner.eventlog.schema import CASE_STATUS


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


_WITH_ACTIVITY = """
select distinct case_key
from activity_instance
where activity_key in (select activity_key from activity where activity = $value)
"""

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "since", "cases that started at this time or later", "TIME",
            'select case_key from "case" where started_at >= $value', values.instant,
        ),
        Kind(
            "until", "cases whose last event was before this time; a date means its whole day",
            "TIME", 'select case_key from "case" where completed_at < $value', values.end_of,
        ),
        Kind(
            "active-between", "cases with an event from TIME to TIME, written TIME..TIME", "TIMES",
            'select case_key from "case" where completed_at >= $low and started_at < $high',
            values.between,
        ),
        Kind(
            "activity", "cases with this activity", "ACTIVITY", _WITH_ACTIVITY, values.text,
            "activity",
        ),
        Kind(
            "without-activity", "cases without this activity", "ACTIVITY",
            f'select case_key from "case" where case_key not in ({_WITH_ACTIVITY})',
            values.text, "activity",
        ),
        Kind(
            "starts-with", "cases whose first activity is this one", "ACTIVITY",
            'select case_key from "case" where first_activity_key in '
            "(select activity_key from activity where activity = $value)",
            values.text, "activity",
        ),
        Kind(
            "ends-with", "cases whose last activity is this one", "ACTIVITY",
            'select case_key from "case" where last_activity_key in '
            "(select activity_key from activity where activity = $value)",
            values.text, "activity",
        ),
        Kind(
            "follows", "cases where B comes directly after A", '"A>B"',
            """
            select distinct case_key
            from activity_instance
            where activity_key in (select activity_key from activity where activity = $first)
                and next_activity_key in
                    (select activity_key from activity where activity = $second)
            """, values.pair, "activity",
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
            """, values.pair, "activity",
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
            """, values.variant, "activity",
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
            """, values.number,
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
            """, values.share,
        ),
        Kind(
            "longer-than", "cases with a cycle time above this", "DURATION",
            'select case_key from "case" where cycle_time > $value', values.duration,
        ),
        Kind(
            "shorter-than", "cases with a cycle time below this", "DURATION",
            'select case_key from "case" where cycle_time < $value', values.duration,
        ),
        Kind(
            "min-instances", "cases with at least N activity instances", "N",
            'select case_key from "case" where instances >= $value', values.number,
        ),
        Kind(
            "max-instances", "cases with at most N activity instances", "N",
            'select case_key from "case" where instances <= $value', values.number,
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
            """, values.assignment,
        ),
        Kind(
            "case", "the case with this id", "CASE_ID",
            "select case_key from case_identity where case_id = $value", values.text,
        ),
        Kind(
            "resource", "cases that this resource worked on", "RESOURCE",
            """
            select distinct case_key
            from activity_instance
            where resource_key in (select resource_key from resource where resource = $value)
            """, values.text, "resource",
        ),
        Kind(
            "version", "cases that ran on this version of the workflow", "VERSION",
            'select case_key from "case" where version_key in '
            "(select version_key from process_version where process_version = $value)",
            values.text,
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
            """, values.status,
        ),
        Kind(
            "failed-at", "cases where this activity failed at least once", "ACTIVITY",
            """
            select distinct case_key
            from activity_instance
            where status in ('failed', 'timed_out')
                and activity_key in (select activity_key from activity where activity = $value)
            """, values.text, "activity",
        ),
        Kind(
            "rework-of", "cases where this activity was done again", "ACTIVITY",
            """
            select case_key
            from activity_instance
            where activity_key in (select activity_key from activity where activity = $value)
            group by case_key
            having count(*) filter (where repetition is null and status <> 'scheduled') > coalesce(
                arg_min((repetition is null)::integer, number) filter (where status <> 'scheduled'),
                0
            )
            """, values.text, "activity",
        ),
        Kind(
            "error", "cases with an error of this type", "TYPE",
            "select distinct case_key from activity_instance where error_key in "
            "(select error_key from error where error_type = $value)",
            values.text,
        ),
    )
}  # fmt: skip


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
