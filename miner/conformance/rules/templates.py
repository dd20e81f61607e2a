"""The SQL of each kind of rule: what it judges, one row per occasion to keep or break it.

All give the columns of `JUDGED`. `outcome` is kept, broken, pending (the case is open and may still
keep it) or unknown (what it takes to judge is not in the log); the others are of the deviation.
Only instances with status completed count as done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from miner.conformance.rules.order_templates import precedence, response, succession, time_between
from miner.conformance.rules.resource_templates import (
    condition,
    role,
    role_parameters,
    segregation,
)

if TYPE_CHECKING:
    from miner.conformance.rules.rule import Rule


def judged(rule: Rule) -> str:
    """The steps of a WITH clause that end in `judged`, over the `scope` and `done` before it."""
    return _TEMPLATES[rule.template](rule)


def parameters(rule: Rule) -> dict[str, Any]:
    """The parameters of those steps."""
    found: dict[str, Any] = {}
    if rule.template in ("response", "precedence", "succession", "time_between"):
        found |= {"first": rule.activities[0], "then": rule.activities[1]}
        for name, limit in (("at_most", rule.at_most), ("at_least", rule.at_least)):
            if limit:
                found[name] = round(limit.time.total_seconds() * 1_000_000)
    if rule.template in ("existence", "absence"):
        found |= {"times": rule.times, "activity": rule.activities[0]}
    if rule.template == "exclusive_choice":
        found["choice"] = " or ".join(rule.activities)
    if rule.template == "co_existence":
        found["all_of"] = list(rule.activities)
    if rule.template == "role":
        found |= role_parameters(rule)
    return found


def _existence(_rule: Rule) -> str:
    return """
counted as (
    select case_key, count(*) as times
    from done
    group by case_key
),
judged as (
    select
        s.case_key,
        null::integer as number,
        case
            when c.times >= $times then 'kept'
            when s.is_open then 'pending'
            else 'broken'
        end as outcome,
        'skipped' as kind,
        $activity as activity,
        null::varchar as expected_after,
        null::integer as resource_key,
        null::timestamp as at,
        null::bigint as added_time
    from scope as s
    left join counted as c using (case_key)
)"""


def _absence(rule: Rule) -> str:
    # The first n are allowed: with none there is no need to number them.
    numbered = "row_number() over (partition by case_key order by number)" if rule.times else "1"
    return f"""
numbered as (
    select case_key, number, activity, resource_key, completed_at, {numbered} as nth
    from done
),
excess as (
    select case_key, number, activity, resource_key, completed_at
    from numbered
    where nth > $times
),
judged as (
    select
        s.case_key,
        e.number,
        case when e.case_key is null then 'kept' else 'broken' end as outcome,
        case when $times > 0 then 'repeated' else 'extra' end as kind,
        $activity as activity,
        null::varchar as expected_after,
        e.resource_key,
        e.completed_at as at,
        null::bigint as added_time
    from scope as s
    left join excess as e using (case_key)
)"""


def _exclusive_choice(_rule: Rule) -> str:
    return """
chosen as (
    select case_key, arg_min(activity_key, number) as chosen_key,
        min(activity_key) = max(activity_key) as is_one
    from done
    group by case_key
),
other as (
    select d.case_key, d.number, d.activity, d.resource_key, d.completed_at
    from done as d
    join (from chosen where not is_one) as c using (case_key)
    where d.activity_key <> c.chosen_key
),
judged as (
    select
        s.case_key,
        o.number,
        case
            when o.case_key is not null then 'broken'
            when c.case_key is not null then 'kept'
            when s.is_open then 'pending'
            else 'broken'
        end as outcome,
        case when o.case_key is null then 'skipped' else 'extra' end as kind,
        coalesce(o.activity, $choice) as activity,
        null::varchar as expected_after,
        o.resource_key,
        o.completed_at as at,
        null::bigint as added_time
    from scope as s
    left join chosen as c using (case_key)
    left join other as o using (case_key)
)"""


def _co_existence(_rule: Rule) -> str:
    return """
counted as (
    select case_key, list(distinct activity_key) as keys
    from done
    group by case_key
),
wanted as (
    select w.activity, a.activity_key
    from (select unnest($all_of::varchar[]) as activity) as w
    left join activity as a using (activity)
),
judged as (
    select
        s.case_key,
        null::integer as number,
        case
            when list_contains(c.keys, w.activity_key) then 'kept'
            when s.is_open then 'pending'
            else 'broken'
        end as outcome,
        'skipped' as kind,
        w.activity,
        null::varchar as expected_after,
        null::integer as resource_key,
        null::timestamp as at,
        null::bigint as added_time
    from counted as c
    join scope as s using (case_key)
    cross join wanted as w
)"""


_TEMPLATES: Mapping[str, Callable[[Rule], str]] = {
    "response": response,
    "precedence": precedence,
    "succession": succession,
    "time_between": time_between,
    "existence": _existence,
    "absence": _absence,
    "exclusive_choice": _exclusive_choice,
    "co_existence": _co_existence,
    "four_eyes": segregation,
    "segregation": segregation,
    "role": role,
    "condition": condition,
}
