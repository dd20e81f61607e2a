"""The SQL of rules about the order of two activities and the time between them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from miner.conformance.rules.rule import Rule

# What comes next is looked for among these two activities only. Numbers count all instances of a
# case, so that neighbours in it have neighbouring numbers.
_AFTER = {
    "plain": (
        "min(number) filter (where is_then and is_done) over later",
        "min(completed_at) filter (where is_then and is_done) over later",
    ),
    "alternate": (
        "case when lead(is_then) over in_case then lead(number) over in_case end",
        "case when lead(is_then) over in_case then lead(completed_at) over in_case end",
    ),
    "chain": (
        "case when lead(is_then and is_done) over in_case "
        "and lead(number) over in_case = number + 1 then number + 1 end",
        "case when lead(is_then and is_done) over in_case "
        "and lead(number) over in_case = number + 1 then lead(completed_at) over in_case end",
    ),
}
_BEFORE = {
    "plain": (
        "max(number) filter (where is_first) over earlier",
        "max(completed_at) filter (where is_first) over earlier",
    ),
    "alternate": (
        "case when lag(is_first) over in_case then lag(number) over in_case end",
        "case when lag(is_first) over in_case then lag(completed_at) over in_case end",
    ),
    "chain": (
        "case when lag(is_first) over in_case and lag(number) over in_case = number - 1 "
        "then number - 1 end",
        "case when lag(is_first) over in_case and lag(number) over in_case = number - 1 "
        "then lag(completed_at) over in_case end",
    ),
}
# Whether an open case may still keep it, when it does not yet.
_OPEN_ENDED = {
    "plain": "true",
    "alternate": "lead(number) over in_case is null",
    "chain": "next_activity_key is null or "
    "(lead(is_then and not is_done) over in_case and lead(number) over in_case = number + 1)",
}

_WINDOWS = """
    window
        in_case as (partition by case_key order by number),
        later as (
            partition by case_key order by number
            rows between 1 following and unbounded following
        ),
        earlier as (
            partition by case_key order by number
            rows between unbounded preceding and 1 preceding
        )"""


def response(rule: Rule, name: str = "judged") -> str:
    """Each `first` is followed by `then`, in time if there is a limit."""
    number, at = _AFTER[rule.mode]
    return f"""
followed as (
    select
        case_key, number, is_first, is_done, completed_at as from_at,
        {number} as next_number,
        {at} as until_at,
        {_OPEN_ENDED[rule.mode]} as is_open_ended
    from done{_WINDOWS}
),
{_timed("followed", rule, "number is not null and is_first and is_done")},
{_judged_response(rule, name)}"""


def _judged_response(rule: Rule, name: str) -> str:
    late = "t.elapsed > $at_most" if rule.at_most else "false"
    over = "t.elapsed - $at_most" if rule.at_most else "null::bigint"
    return f"""
{name} as (
    select
        t.case_key,
        t.next_number as number,
        case
            when t.next_number is null and t.is_open_ended and s.is_open then 'pending'
            when t.next_number is null or {late} then 'broken'
            else 'kept'
        end as outcome,
        case when t.next_number is null then 'skipped' else 'too_late' end as kind,
        $then as activity,
        $first as expected_after,
        i.resource_key,
        t.until_at as at,
        case when t.next_number is not null then {over} end as added_time
    from timed_followed as t
    join scope as s using (case_key)
    left join done as i on i.case_key = t.case_key and i.number = t.next_number
)"""


def precedence(rule: Rule, name: str = "judged") -> str:
    """Each `then` has `first` before it, not longer ago than the limit if there is one."""
    number, at = _BEFORE[rule.mode]
    late = "t.elapsed > $at_most" if rule.at_most else "false"
    over = "t.elapsed - $at_most" if rule.at_most else "null::bigint"
    # How long before the first it was done is how much too early.
    early = (
        "min(completed_at) filter (where is_first) over later"
        if rule.mode == "plain"
        else "null::timestamp"
    )
    return f"""
preceded as (
    select
        case_key, number, is_then, is_done, resource_key, completed_at as until_at,
        {number} as previous_number,
        {at} as from_at,
        {early} as first_at
    from done{_WINDOWS}
),
{_timed("preceded", rule, "is_then and is_done")},
{name} as (
    select
        t.case_key,
        t.number,
        case when t.previous_number is null or {late} then 'broken' else 'kept' end as outcome,
        case when t.previous_number is null then 'too_early' else 'too_late' end as kind,
        $then as activity,
        $first as expected_after,
        t.resource_key,
        t.until_at as at,
        case
            when t.previous_number is null then epoch_us(t.until_at) - epoch_us(t.first_at)
            else {over}
        end as added_time
    from timed_preceded as t
)"""


def succession(rule: Rule) -> str:
    """Both of the above; the limit is for what follows."""
    return f"""{response(rule, "judged_following")},
{precedence(replace(rule, at_most=None), "judged_preceding")},
judged as (
    from judged_following
    union all
    from judged_preceding
)"""


def time_between(rule: Rule) -> str:
    """From the `first` nearest before it to each `then`."""
    moment = {"completion": "completed_at", "start": "started_at"}
    begins, ends = moment[rule.measured_from], moment[rule.measured_until]
    late = "t.elapsed > $at_most" if rule.at_most else "false"
    early = "t.elapsed < $at_least" if rule.at_least else "false"
    over = "t.elapsed - $at_most" if rule.at_most else "null::bigint"
    under = "t.elapsed - $at_least" if rule.at_least else "null::bigint"
    return f"""
located as (
    select
        case_key, number, is_then, resource_key, completed_at, {ends} as until_at,
        last_value(case when is_first then {{'at': {begins}}} end ignore nulls) over earlier
            as first_instance
    from done{_WINDOWS}
),
preceded as (
    select case_key, number, is_then, resource_key, completed_at, until_at,
        first_instance.at as from_at
    from located
    where first_instance is not null
),
{_timed("preceded", rule, "is_then")},
judged as (
    select
        t.case_key,
        t.number,
        case
            when t.elapsed is null then 'unknown'
            when {late} or {early} then 'broken'
            else 'kept'
        end as outcome,
        case when {late} then 'too_late' else 'too_early' end as kind,
        $then as activity,
        $first as expected_after,
        t.resource_key,
        t.completed_at as at,
        case when {late} then {over} else {under} end as added_time
    from timed_preceded as t
)"""


def _timed(rows: str, rule: Rule, wanted: str) -> str:
    """A step with the time that elapsed from `from_at` to `until_at`, as each limit counts it."""
    limits = [limit for limit in (rule.at_most, rule.at_least) if limit]
    if not limits:
        return f"timed_{rows} as (from {rows} where {wanted})"
    if not limits[0].business:
        return f"""
timed_{rows} as (
    select columns(*), epoch_us(until_at) - epoch_us(from_at) as elapsed
    from {rows}
    where {wanted}
)"""
    # Work done by an instant is what was done before its interval and since that opened.
    done_by = (
        "{0}.worked_before + epoch_us(least({1}, {0}.closes_at)) - epoch_us({0}.opens_at)".format
    )
    return f"""
working as (
    select
        unnest($opens::timestamp[]) as opens_at,
        unnest($closes::timestamp[]) as closes_at,
        unnest($worked::bigint[]) as worked_before
),
timed_{rows} as (
    select columns(t.*), {done_by("u", "t.until_at")} - ({done_by("f", "t.from_at")}) as elapsed
    from (from {rows} where {wanted}) as t
    asof left join working as f on t.from_at >= f.opens_at
    asof left join working as u on t.until_at >= u.opens_at
)"""
