"""Exported records of Zeebe: from steps of elements, jobs, tasks and incidents to events."""

from __future__ import annotations

import duckdb
import polars as pl

from ingest.zeebe.lines import BEGINS, SEEN
from ingest.zeebe.transitions import ENDED, JOB_STEP, TRANSITION

USER_TASK_JOB = "io.camunda.zeebe:userTask"
"""The type of the jobs that stood for user tasks before these became records of their own."""


def add(connection: duckdb.DuckDBPyConnection, steps: pl.DataFrame) -> None:
    """Put the rows of `zeebe_lines.records` into the table `record`, made when missing."""
    connection.register("steps", steps)
    try:
        connection.execute(_MAKE)
        connection.execute("insert into record " + _RECORD)
    finally:
        connection.unregister("steps")


def events(connection: duckdb.DuckDBPyConnection, named: pl.DataFrame) -> str:
    """Lay out the events of the table `record`; returns the SELECT of them.

    `named` has the columns of `zeebe_models.NAMES`. Every event stands once, whatever was exported
    twice. An attempt is numbered where the records show the job from its creation on; the number
    is null elsewhere.
    """
    connection.register("given_name", named)
    connection.execute(
        "create or replace temp table element_name as "
        "select definition_key::bigint as definition_key, element_id, max(name) as name, "
        "max(version) as version, max(version_tag) as version_tag from given_name group by all"
    )
    connection.unregister("given_name")
    if connection.sql(_REPEATED).fetchall() != [(0,)]:
        connection.execute(_DISTINCT)
    parameters = {"seen": list(SEEN), "begins": list(BEGINS), "user_task": USER_TASK_JOB}
    for statement in (_CASE, JOB_STEP, ENDED, TRANSITION, _MIGRATED, _MODIFIED, _LAST):
        used = {name: value for name, value in parameters.items() if f"${name}" in statement}
        connection.execute(statement, used or None)
    return _EVENT


_RECORD = """
select
    "partitionId" as partition_id,
    "position" as position,
    "sourceRecordPosition" as source_position,
    key,
    make_timestamp("timestamp" * 1000) as happened_at,
    "valueType" as kind,
    intent,
    "bpmnElementType" as element_type,
    "bpmnProcessId" as process,
    "processInstanceKey" as case_id,
    "processDefinitionKey" as definition_key,
    coalesce(version, "processDefinitionVersion") as process_version,
    "elementId" as element_id,
    coalesce("elementInstanceKey", case when kind = 'PROCESS_INSTANCE' then steps.key end)
        as element_key,
    case when "parentProcessInstanceKey" > 0 then "parentProcessInstanceKey" end as parent_case_id,
    case when "rootProcessInstanceKey" > 0 then "rootProcessInstanceKey" else "rootOfPath" end
        as root_case_id,
    nullif("businessId", '') as business_id,
    nullif("tenantId", '<default>') as tenant,
    "type" as job_type,
    case when "jobKey" > 0 then "jobKey" end as job_key,
    nullif(worker, '') as worker,
    retries,
    "retryBackoff" as backoff,
    coalesce("retriesChanged", false) as retries_changed,
    nullif(assignee, '') as assignee,
    nullif(action, '') as action,
    "errorType" as error_type,
    nullif("errorCode", '') as error_code,
    nullif("errorMessage", '') as error_message,
    authorized_username as person,
    authorized_client_id as client
from steps
where coalesce("recordType", 'EVENT') = 'EVENT'
    and coalesce("jobKind", 'BPMN_ELEMENT') = 'BPMN_ELEMENT'
    and "position" is not null
    and "timestamp" is not null
"""

# One record may tell of several jobs that were taken, or elements that were begun.
_REPEATED = """
select count(*) - count(distinct (partition_id, position, key, element_id))
from record
"""

_DISTINCT = """
create or replace temp table record as
select columns(*)
from record
qualify row_number() over (partition by partition_id, position, key, element_id) = 1
"""

_MAKE = f"create temp table if not exists record as {_RECORD} limit 0"

# What all records of a run say about it.
_CASE = """
create or replace temp table told as
with recursive known as (
    select
        case_id,
        arg_max(process, position) as process,
        arg_max(process_version, position) as process_version,
        arg_max(definition_key, position) as definition_key,
        max(parent_case_id) filter (where element_type = 'PROCESS') as parent_case_id,
        max(root_case_id) as root_case_id,
        max(business_id) as business_id,
        max(tenant) as tenant,
        max(partition_id) as partition_id,
        arg_max(intent, position) filter (where element_type = 'PROCESS') as state
    from record
    where case_id is not null
    group by case_id
),
climbed as (
    select case_id, parent_case_id as above, 1 as steps
    from known
    where parent_case_id is not null and root_case_id is null
    union all
    select c.case_id, k.parent_case_id, c.steps + 1
    from climbed as c
    join known as k on k.case_id = c.above
    where k.parent_case_id is not null and c.steps < 100
),
topmost as (
    select case_id, arg_max(above, steps) as root_case_id
    from climbed
    group by case_id
)
select
    k.case_id,
    k.process,
    k.process_version,
    k.parent_case_id,
    coalesce(k.root_case_id, t.root_case_id, case when k.state is not null then k.case_id end)
        as root_case_id,
    case
        when k.state = 'ELEMENT_COMPLETED' then 'completed'
        when k.state = 'ELEMENT_TERMINATED' then 'cancelled'
        when k.state is not null then 'running'
    end as case_status,
    json_merge_patch('{}', json_object(
        'version_tag', n.version_tag,
        'business_id', k.business_id,
        'tenant', k.tenant,
        'partition', k.partition_id
    ))::varchar as case_attributes
from known as k
left join topmost as t using (case_id)
left join element_name as n on n.definition_key = k.definition_key and n.element_id is null
"""

# What was moved to another version is told as it stands there, all of it: the halves of an instance
# under two names would not be paired.
_MIGRATED = """
create or replace temp table migrated as
select
    element_key,
    arg_max(element_id, position) as element_id,
    arg_max(definition_key, position) as definition_key,
    arg_max(process_version, position) as process_version
from record
where element_key in (
        select element_key
        from record
        where kind = 'PROCESS_INSTANCE' and intent = 'ELEMENT_MIGRATED'
    )
    and process_version is not null
group by element_key
"""

# A modification names neither the process nor its version: the element that it began does, or else
# those before it.
_MODIFIED = """
create or replace temp table modified as
select
    m.rowid as record_row,
    n.element_key,
    coalesce(n.definition_key, b.definition_key) as definition_key,
    coalesce(n.process_version, b.process_version) as process_version
from (
    select rowid, case_id, element_id, position
    from record
    where kind = 'PROCESS_INSTANCE_MODIFICATION'
) as m
asof left join (
    select case_id, position, definition_key, process_version
    from record
    where kind = 'PROCESS_INSTANCE' and case_id in (
        select case_id from record where kind = 'PROCESS_INSTANCE_MODIFICATION'
    )
) as b on b.case_id = m.case_id and b.position <= m.position
asof left join (
    select case_id, element_id, position, element_key, definition_key, process_version
    from record
    where element_key is not null and process_version is not null and case_id in (
        select case_id from record where kind = 'PROCESS_INSTANCE_MODIFICATION'
    )
) as n on n.case_id = m.case_id and n.element_id = m.element_id and n.position >= m.position
"""

_LAST = """
create or replace temp table last_step as
select r.case_id, max(r.position) as position
from transition as t
join record as r on r.rowid = t.record_row
group by r.case_id
"""

_EVENT = """
select
    c.process,
    r.case_id::varchar as case_id,
    t.event_id,
    coalesce(n.name, m.element_id, r.element_id) as activity,
    coalesce(m.element_id, r.element_id) as activity_id,
    coalesce(t.instance_id, o.element_key)::varchar as instance_id,
    t.lifecycle,
    r.happened_at + to_milliseconds(coalesce(t.delay, 0)) as timestamp,
    -- An order stands before what it orders, which the same record may tell.
    r.position - (t.lifecycle = 'retry')::bigint as position,
    t.attempt::integer as attempt,
    t.resource,
    t.resource_kind,
    t.error as error_type,
    case when t.error is not null then r.error_message end as error_message,
    coalesce(
        m.process_version, o.process_version, r.process_version, d.version::bigint,
        c.process_version
    )::varchar as process_version,
    case
        when t.operation is not null then json_object('operation', t.operation)::varchar
        when r.kind = 'JOB' then json_object('job_type', r.job_type, 'retries', r.retries)::varchar
    end as attributes,
    10 * coalesce(m.process_version, r.process_version, 0) + coalesce(t.version, 1) as version,
    case when l.position is not null then c.parent_case_id::varchar end as parent_case_id,
    case when l.position is not null then c.root_case_id::varchar end as root_case_id,
    case when l.position is not null then c.case_status end as case_status,
    case when l.position is not null then c.case_attributes end as case_attributes
from transition as t
join record as r on r.rowid = t.record_row
join told as c on c.case_id = r.case_id and c.process is not null
left join modified as o on o.record_row = t.record_row
left join migrated as m on m.element_key = coalesce(r.element_key, o.element_key)
left join element_name as n
    on n.definition_key = coalesce(m.definition_key, o.definition_key, r.definition_key)
    and n.element_id = coalesce(m.element_id, r.element_id)
left join element_name as d on d.definition_key = r.definition_key and d.element_id is null
left join last_step as l on l.case_id = r.case_id and l.position = r.position
where r.element_id is not null
"""
