"""Naming: each process, case, activity and other name gets a small key of its own, once."""

from __future__ import annotations

from collections.abc import Collection

import duckdb


def add_names(
    connection: duckdb.DuckDBPyConnection, process: str, columns: Collection[str]
) -> None:
    """Give a key to each name in `incoming` that has none; `columns` says which it may hold."""
    parameters = {"process": process}
    for statement in (_NEW_PROCESSES, _NEW_ACTIVITIES, _NEW_CASES):
        connection.execute(statement, parameters)
    if "resource" in columns or "resource_kind" in columns:
        connection.execute(_NEW_RESOURCES, parameters)
    if "error_type" in columns:
        connection.execute(_new_names("error", "error_key", "error_type"), parameters)
    if "process_version" in columns:
        sql = _new_names("process_version", "version_key", "process_version")
        connection.execute(sql, parameters)


def _new_names(table: str, key: str, name: str) -> str:
    """The statement that gives keys to names of `incoming` that have none yet."""
    return f"""
insert into {table}
select
    process_key,
    (select coalesce(max({key}), 0) from {table})
        + row_number() over (order by process_key, {name}),
    {name}
from (
    select distinct p.process_key, i.{name}
    from (
        select coalesce(process, $process) as process, {name}
        from incoming
        where {name} is not null
    ) as i
    join process as p using (process)
)
anti join {table} using (process_key, {name})
order by process_key, {name}
"""


_NEW_PROCESSES = """
insert into process
select
    (select coalesce(max(process_key), 0) from process) + row_number() over (order by process),
    process
from (
    select distinct coalesce(process, $process) as process
    from incoming
)
anti join process using (process)
order by process
"""

_NEW_ACTIVITIES = """
insert into activity
select
    process_key,
    (select coalesce(max(activity_key), 0) from activity)
        + row_number() over (order by process_key, activity),
    activity,
    activity_id
from (
    select p.process_key, i.activity, max(i.activity_id) as activity_id
    from (
        select coalesce(process, $process) as process, activity, activity_id
        from incoming
        where activity is not null
    ) as i
    join process as p using (process)
    group by p.process_key, i.activity
)
anti join activity using (process_key, activity)
order by process_key, activity
"""

_NEW_RESOURCES = """
insert into resource
select
    process_key,
    (select coalesce(max(resource_key), 0) from resource)
        + row_number() over (order by process_key, resource, resource_kind),
    resource,
    resource_kind
from (
    select distinct p.process_key, i.resource, i.resource_kind
    from (
        select coalesce(process, $process) as process, resource, resource_kind
        from incoming
        where resource is not null or resource_kind is not null
    ) as i
    join process as p using (process)
) as found
where not exists (
    select 1
    from resource as r
    where r.process_key = found.process_key
        and r.resource is not distinct from found.resource
        and r.resource_kind is not distinct from found.resource_kind
)
order by process_key, resource, resource_kind
"""

_NEW_CASES = """
insert into case_identity (process_key, case_key, case_id)
select
    process_key,
    (select coalesce(max(case_key), 0) from case_identity)
        + row_number() over (order by first_position, case_id),
    case_id
from (
    select p.process_key, i.case_id, min(i.position) as first_position
    from (
        select coalesce(process, $process) as process, case_id, position
        from incoming
        where case_id is not null
    ) as i
    join process as p using (process)
    group by p.process_key, i.case_id
)
anti join case_identity using (process_key, case_id)
order by first_position, case_id
"""
