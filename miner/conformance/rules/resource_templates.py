"""The SQL of rules about who did what, and with which attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from miner.conformance.rules.rule import Rule


def segregation(_rule: Rule) -> str:
    """An instance is judged once another activity of the set was done before it in the case.

    Two resources of one name are one person, whatever kind the log gives them.
    """
    return _SEGREGATION


# Only the few cases with one person in two places, or with somebody unknown, are gone through
# instance by instance.
_SEGREGATION = """
person as (
    select resource_key, min(resource_key) over (partition by resource) as person_key
    from resource
    where resource is not null
),
mixed as (
    select case_key, arg_min(activity_key, number) as first_key
    from done
    group by case_key
    having min(activity_key) <> max(activity_key)
),
other as (
    select d.case_key, min(d.number) as other_number
    from done as d
    join mixed as m using (case_key)
    where d.activity_key <> m.first_key
    group by d.case_key
),
attributed as (
    select d.case_key, d.number, d.activity_key, d.activity, d.resource_key, d.completed_at,
        p.person_key,
        d.activity_key <> m.first_key or d.number > o.other_number as is_judged
    from done as d
    join mixed as m using (case_key)
    join other as o using (case_key)
    left join person as p using (resource_key)
),
suspect as (
    select distinct case_key
    from (
        select case_key
        from attributed
        group by case_key, person_key
        having min(activity_key) <> max(activity_key) or person_key is null
    )
),
compared as (
    select
        columns(*),
        min(activity_key) over own as own_lowest,
        max(activity_key) over own as own_highest,
        min(activity_key) filter (where person_key is null) over before as hidden_lowest,
        max(activity_key) filter (where person_key is null) over before as hidden_highest
    from (from attributed semi join suspect using (case_key))
    window
        own as (
            partition by case_key, person_key order by number
            rows between unbounded preceding and 1 preceding
        ),
        before as (
            partition by case_key order by number
            rows between unbounded preceding and 1 preceding
        )
),
judged as (
    select
        c.case_key,
        c.number,
        case
            when c.person_key is null then 'unknown'
            when c.own_lowest <> c.activity_key or c.own_highest <> c.activity_key then 'broken'
            when c.hidden_lowest <> c.activity_key or c.hidden_highest <> c.activity_key
                then 'unknown'
            else 'kept'
        end as outcome,
        'same_person' as kind,
        c.activity,
        a.activity as expected_after,
        c.resource_key,
        c.completed_at as at,
        null::bigint as added_time
    from compared as c
    left join activity as a on a.activity_key = case
        when c.own_lowest <> c.activity_key then c.own_lowest
        else c.own_highest
    end
    where c.is_judged
    union all
    select case_key, number, 'kept', 'same_person', activity, null, resource_key, completed_at, null
    from (from attributed anti join suspect using (case_key))
    where is_judged
)"""

# The n-th completion at an instant belongs to the n-th event of it: instances keep no event's key.
_DESCRIBED = """
described_event as (
    select
        r.case_key,
        r.activity_key,
        r.timestamp,
        row_number() over (
            partition by r.case_key, r.activity_key, r.timestamp order by r.position, r.event_key
        ) as nth,
        x.attributes
    from recorded_event as r
    left join event_detail as x using (event_key)
    where r.lifecycle = 'complete' and r.activity_key in (select activity_key from named)
),
described as (
    select d.case_key, d.number, d.activity, d.resource_key, d.completed_at, e.attributes
    from (
        select case_key, number, activity_key, activity, resource_key, completed_at,
            row_number() over (
                partition by case_key, activity_key, completed_at order by number
            ) as nth
        from done
    ) as d
    left join described_event as e
        on e.case_key = d.case_key and e.activity_key = d.activity_key
        and e.timestamp = d.completed_at and e.nth = d.nth
)"""

_PLAIN = """
described as (
    select case_key, number, activity, resource_key, completed_at
    from done
)"""


def role(rule: Rule) -> str:
    """Each instance of the activities is done by whom the rule allows."""
    tests = ["list_contains($resources::varchar[], r.resource)"] if rule.resources else []
    tests += ["r.resource_kind = $resource_kind"] if rule.resource_kind else []
    tests += [
        f"list_contains($values_{number}::varchar[], "
        f"variant_extract(d.attributes, $key_{number})::varchar)"
        for number in range(len(rule.attributes))
    ]
    return f"""{_DESCRIBED if rule.attributes else _PLAIN},
judged as (
    select
        d.case_key,
        d.number,
        {_outcome(" and ".join(tests))} as outcome,
        'wrong_role' as kind,
        d.activity,
        null::varchar as expected_after,
        d.resource_key,
        d.completed_at as at,
        null::bigint as added_time
    from described as d
    left join resource as r using (resource_key)
)"""


def condition(rule: Rule) -> str:
    """The condition holds of each case, or of each instance of the activity."""
    check = rule.check.sql if rule.check else "true"
    if not rule.activities:
        return _case_condition(check)
    return f"""{_DESCRIBED},
judged as (
    select
        e.case_key,
        e.number,
        {_outcome(f"try(({check})::boolean)")} as outcome,
        'extra' as kind,
        e.activity,
        null::varchar as expected_after,
        e.resource_key,
        e.completed_at as at,
        null::bigint as added_time
    from described as e
    join "case" as c using (case_key)
    join case_identity as i using (case_key)
    left join process_version as v using (version_key)
    left join resource as r on r.resource_key = e.resource_key
)"""


def _case_condition(check: str) -> str:
    return f"""
judged as (
    select
        c.case_key,
        null::integer as number,
        case
            when holds is null then 'unknown'
            when holds then 'kept'
            when s.is_open then 'pending'
            else 'broken'
        end as outcome,
        'extra' as kind,
        null::varchar as activity,
        null::varchar as expected_after,
        null::integer as resource_key,
        null::timestamp as at,
        null::bigint as added_time
    from (
        select c.case_key, try(({check})::boolean) as holds
        from "case" as c
        join case_identity as i using (case_key)
        left join process_version as v using (version_key)
    ) as c
    join scope as s using (case_key)
)"""


def _outcome(test: str) -> str:
    return f"case when {test} then 'kept' when not ({test}) then 'broken' else 'unknown' end"


def role_parameters(rule: Rule) -> dict[str, Any]:
    """The parameters of `role`."""
    found: dict[str, Any] = {}
    if rule.resources:
        found["resources"] = list(rule.resources)
    if rule.resource_kind:
        found["resource_kind"] = rule.resource_kind
    for number, (key, values) in enumerate(rule.attributes):
        found |= {f"key_{number}": key, f"values_{number}": list(values)}
    return found
