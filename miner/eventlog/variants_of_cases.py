"""The variant of each touched case, and what occurs more than once in a new variant."""

from __future__ import annotations

import duckdb


def assign(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill `case_variant` for the cases in `touched` from `ordered`, adding variants not yet known.

    A case without any activity instance has the variant of no activities.
    """
    connection.execute(_SEQUENCES)
    ((cases, with_instances),) = connection.execute(_HOW_MANY).fetchall()
    if with_instances < cases:
        connection.execute(_WITHOUT_INSTANCES)
    for statement in (
        _GROUPED,
        _NEW_VARIANTS,
        _REPEATED_ACTIVITIES,
        _REPEATS,
        _REPEATED_PATHS,
        _ASSIGNED,
    ):
        connection.execute(statement)
    for table in ("sequence_of_case", "grouped_sequence", "repeats_of_variant"):
        connection.execute(f"drop table {table}")


# The number in the upper bits puts a list that two threads gathered back into its order.
_SEQUENCES = """
create or replace temp table sequence_of_case as
select
    process_key,
    case_key,
    list_transform(
        list_sort(list((number::bigint << 24) | activity_key)),
        lambda packed: (packed & 16777215)::integer
    ) as activity_keys
from ordered
group by process_key, case_key
"""

_HOW_MANY = """
select (select count(*) from touched), (select count(*) from sequence_of_case)
"""

_WITHOUT_INSTANCES = """
insert into sequence_of_case
select c.process_key, t.case_key, []
from touched as t
join case_identity as c using (case_key)
where t.case_key in (select case_key from touched_event)
    and t.case_key not in (select case_key from sequence_of_case)
"""

_GROUPED = """
create or replace temp table grouped_sequence as
with grouped as (
    select
        process_key,
        activity_keys,
        min(case_key) as first_case,
        list(case_key) as case_keys
    from sequence_of_case
    group by process_key, activity_keys
)
select
    g.process_key,
    g.activity_keys,
    g.case_keys,
    v.variant_key is null as is_new,
    coalesce(
        v.variant_key,
        (select coalesce(max(variant_key), 0) from variant)
            + row_number() over (order by v.variant_key is null desc, g.first_case)
    )::integer as variant_key
from grouped as g
left join variant as v using (process_key, activity_keys)
"""

_NEW_VARIANTS = """
insert into variant
select process_key, variant_key, activity_keys
from grouped_sequence
where is_new
order by variant_key
"""

# In a sorted list what is repeated stands side by side.
_REPEATED_ACTIVITIES = """
insert into repeated_activity
select process_key, variant_key, activity_key, (count(*) + 1)::integer as times
from (
    select
        process_key,
        variant_key,
        unnest(sorted_keys) as activity_key,
        unnest(sorted_keys[2:]) as following_key
    from (
        select process_key, variant_key, list_sort(activity_keys) as sorted_keys
        from grouped_sequence
        where is_new and len(activity_keys) > 1
    )
)
where activity_key = following_key
group by process_key, variant_key, activity_key
"""

_REPEATS = """
create or replace temp table repeats_of_variant as
select variant_key, sum(times - 1)::integer as repeats
from repeated_activity
where variant_key in (select variant_key from grouped_sequence)
group by variant_key
"""

# A path is walked twice only where two repeats are.
_REPEATED_PATHS = """
insert into repeated_path
select
    process_key,
    variant_key,
    (path >> 24)::integer as activity_key,
    (path & 16777215)::integer as next_activity_key,
    count(*)::integer as times
from (
    select
        process_key,
        variant_key,
        (unnest(activity_keys)::bigint << 24) | unnest(activity_keys[2:]) as path
    from grouped_sequence
    where is_new and variant_key in (
        select variant_key
        from repeats_of_variant
        where repeats > 1
    )
)
where path is not null
group by process_key, variant_key, path
having count(*) > 1
"""

_ASSIGNED = """
create or replace temp table case_variant as
select
    unnest(case_keys) as case_key,
    variant_key,
    len(activity_keys)::integer as instances,
    coalesce(repeats, 0) as repeats,
    activity_keys[1] as first_activity_key,
    activity_keys[-1] as last_activity_key
from grouped_sequence
left join repeats_of_variant using (variant_key)
"""
