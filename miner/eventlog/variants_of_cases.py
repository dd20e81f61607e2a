"""The variant of each touched case, and the activities and paths of new variants."""

from __future__ import annotations

import duckdb


def assign(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill `case_variant` for the cases in `touched` from `ordered`, adding variants not yet known.

    A case without any activity instance has the variant of no activities.
    """
    for statement in (_SEQUENCES, _GROUPED, _NEW_VARIANTS, _NEW_PATHS, _NEW_ACTIVITIES, _ASSIGNED):
        connection.execute(statement)
    for table in ("sequence_of_case", "grouped_sequence"):
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
union all
select c.process_key, t.case_key, []
from touched as t
join case_identity as c using (case_key)
where t.case_key in (select case_key from touched_event)
    and t.case_key not in (select case_key from ordered where number = 1)
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

_NEW_PATHS = """
insert into variant_path
select
    process_key,
    variant_key,
    (path >> 32)::integer as activity_key,
    (path & 4294967295)::integer as next_activity_key
from (
    select
        process_key,
        variant_key,
        unnest(list_distinct(list_transform(
            list_zip(activity_keys[:-2], activity_keys[2:]),
            lambda step: (step[1]::bigint << 32) | step[2]
        ))) as path
    from grouped_sequence
    where is_new and len(activity_keys) > 1
)
"""

_NEW_ACTIVITIES = """
insert into variant_activity
select
    g.process_key,
    g.variant_key,
    (c.packed & 16777215)::integer as activity_key,
    c.times
from (
    select packed, count(*) as times
    from (
        select (variant_key::bigint << 24) | unnest(activity_keys) as packed
        from grouped_sequence
        where is_new
    )
    group by packed
) as c
join grouped_sequence as g on g.variant_key = (c.packed >> 24)
"""

_ASSIGNED = """
create or replace temp table case_variant as
select
    unnest(case_keys) as case_key,
    variant_key,
    len(activity_keys)::integer as instances,
    len(list_distinct(activity_keys))::integer as activities
from grouped_sequence
"""
