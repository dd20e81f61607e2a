"""Items of Camunda 8's search interface to events."""

from __future__ import annotations

from contextlib import closing

import duckdb
import polars as pl

from ingest.zeebe.events import USER_TASK_JOB
from ingest.zeebe.lines import BEGINS, SEEN, lines, parsed
from miner.eventlog.frames import with_all_columns
from miner.eventlog.schema import BATCH

_COLUMNS = (
    "processInstanceKey", "processDefinitionId", "processDefinitionKey", "processDefinitionVersion",
    "processDefinitionVersionTag", "parentProcessInstanceKey", "rootProcessInstanceKey",
    "businessId", "tenantId", "state", "startDate", "endDate", "elementInstanceKey", "elementId",
    "elementName", "type", "jobKey", "kind", "worker", "retries", "errorCode", "errorMessage",
    "errorType", "creationTime", "endTime", "lastUpdateTime", "incidentKey", "userTaskKey",
    "assignee", "creationDate", "completionDate", "auditLogKey", "entityKey", "entityType",
    "operationType", "actorId", "actorType", "timestamp", "result", "element_id", "version",
)  # fmt: skip
_LINE = pl.Struct(
    {"kind": pl.String(), "body": pl.Struct({name: pl.String() for name in _COLUMNS})}
)


def decode(raw: bytes) -> pl.DataFrame:
    """The events in lines of `{"kind": …, "body": …}`, with columns of `BATCH`.

    `kind` is process-instance, element-instance, job, user-task, incident, audit-log, or element:
    an element of the model and how often its jobs are tried. A run has all of its items in the same
    lines. What lacks its key or its time has a `reason`.
    """
    found = lines(raw)
    if found.is_empty():
        return pl.DataFrame(schema=BATCH)
    items, broken = parsed(found, _LINE)
    items = items.rename({"kind": "item"}).unnest("body")
    parameters = {"seen": list(SEEN), "begins": list(BEGINS), "user_task": USER_TASK_JOB}
    with closing(duckdb.connect()) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.register("item", items)
        for statement in (_RUN, _JOB, _ELEMENT):
            used = {name: value for name, value in parameters.items() if f"${name}" in statement}
            connection.execute(statement, used or None)
        events = connection.sql(_EVENT).pl()
        unusable = connection.sql(_UNUSABLE).pl()
    frames = [with_all_columns(frame) for frame in (events, unusable, broken)]
    return pl.concat(frames)


_RUN = """
create temp table run as
select
    "processInstanceKey" as case_id,
    "processDefinitionId" as process,
    try_cast("processDefinitionVersion" as bigint) as version,
    "processDefinitionKey" as definition_key,
    "parentProcessInstanceKey" as parent_case_id,
    coalesce("rootProcessInstanceKey", case when "parentProcessInstanceKey" is null
        then "processInstanceKey" end) as root_case_id,
    case state
        when 'COMPLETED' then 'completed'
        when 'TERMINATED' then 'cancelled'
        else 'running'
    end as case_status,
    json_merge_patch('{}', json_object(
        'version_tag', nullif("processDefinitionVersionTag", ''),
        'business_id', nullif("businessId", ''),
        'tenant', nullif("tenantId", '<default>')
    ))::varchar as case_attributes
from item
where item = 'process-instance' and "processInstanceKey" is not null
    and "processDefinitionId" is not null
"""

# One job per element instance: retries keep it. Incidents tell of attempts that used up the last.
_JOB = """
create temp table job as
with incident as (
    select
        "jobKey" as job_key,
        bool_or("errorType" = 'JOB_NO_RETRIES') as ran_out,
        bool_or("errorType" = 'UNHANDLED_ERROR_EVENT') as unhandled
    from item
    where item = 'incident' and "jobKey" is not null
    group by "jobKey"
)
select
    j."jobKey" as job_key,
    j."elementInstanceKey" as element_key,
    j.state,
    j."type" as job_type,
    j."type" = $user_task as is_human,
    nullif(j.worker, '') as worker,
    try_cast(j.retries as integer) as retries,
    nullif(j."errorCode", '') as error_code,
    nullif(j."errorMessage", '') as error_message,
    try_cast(j."creationTime" as timestamptz)::timestamp as created_at,
    try_cast(coalesce(j."lastUpdateTime", j."endTime") as timestamptz)::timestamp as changed_at,
    coalesce(i.ran_out, false) as ran_out,
    coalesce(i.unhandled, false) as unhandled,
    case when i.job_key is null then
        greatest(try_cast(m.retries as integer) - try_cast(j.retries as integer), 0)
    end as used_up
from item as j
left join incident as i on i.job_key = j."jobKey"
left join item as m
    on m.item = 'element'
    and m."processDefinitionKey" = j."processDefinitionKey"
    and m.element_id = j."elementId"
where j.item = 'job' and coalesce(j.kind, 'BPMN_ELEMENT') = 'BPMN_ELEMENT'
qualify row_number() over (
    partition by j."elementInstanceKey" order by try_cast(j."jobKey" as bigint) desc
) = 1
"""

_ELEMENT = """
create temp table element as
select
    e."elementInstanceKey" as element_key,
    e."processInstanceKey" as case_id,
    e."elementId" as activity_id,
    coalesce(nullif(e."elementName", ''), e."elementId") as activity,
    e."type" as element_type,
    e.state,
    coalesce(try_cast(d.version as bigint), r.version) as process_version,
    try_cast(e."startDate" as timestamptz)::timestamp as started_at,
    try_cast(e."endDate" as timestamptz)::timestamp as ended_at,
    list_contains($begins, e."type") and j.job_key is null as begins,
    list_contains($seen, e."type") or j.job_key is not null as is_seen,
    j.job_key,
    u."userTaskKey" as user_task_key,
    nullif(u.assignee, '') as assignee,
    try_cast(u."creationDate" as timestamptz)::timestamp as task_created_at,
    coalesce(j.is_human, e."type" = 'USER_TASK') as is_human
from item as e
join run as r on r.case_id = e."processInstanceKey"
left join job as j on j.element_key = e."elementInstanceKey"
left join item as u on u.item = 'user-task' and u."elementInstanceKey" = e."elementInstanceKey"
left join item as d
    on d.item = 'element' and d.element_id is null
    and d."processDefinitionKey" = e."processDefinitionKey"
where e.item = 'element-instance'
"""

_EVENT = """
with audit as (
    select
        "auditLogKey" as audit_key, "processInstanceKey" as case_id,
        "elementInstanceKey" as element_key, "entityKey" as entity_key,
        coalesce("userTaskKey", case when "entityType" = 'USER_TASK' then "entityKey" end)
            as user_task_key,
        coalesce("jobKey", case when "entityType" = 'JOB' then "entityKey" end) as job_key,
        "entityType" as entity, "operationType" as operation, nullif("actorId", '') as actor,
        case when "actorType" = 'CLIENT' then 'system' else 'human' end as actor_kind,
        "actorType" as actor_type,
        try_cast("timestamp" as timestamptz)::timestamp as audited_at
    from item
    where item = 'audit-log' and coalesce(result, 'SUCCESS') = 'SUCCESS'
),
incident as (
    select
        i."incidentKey" as incident_key, i."elementInstanceKey" as element_key,
        i."jobKey" as job_key, i."processInstanceKey" as case_id, i."elementId" as activity_id,
        i."errorType" as error_type, nullif(i."errorMessage", '') as error_message,
        try_cast(i."creationTime" as timestamptz)::timestamp as created_at
    from item as i
    where i.item = 'incident'
),
completed_by as (
    select user_task_key, arg_max(actor, audited_at) as actor
    from audit
    where entity = 'USER_TASK' and operation = 'COMPLETE' and actor_type = 'USER'
    group by user_task_key
),
of_element as (
    select
        element_key, 'start' as lifecycle, element_key || ':start' as event_id,
        started_at as happened_at
    from element
    where begins
    union all by name
    select
        e.element_key, 'scheduled' as lifecycle, e.element_key || ':scheduled' as event_id,
        coalesce(e.task_created_at, j.created_at, e.started_at) as happened_at, 1 as attempt
    from element as e
    left join job as j using (element_key)
    where j.job_key is not null or e.element_type in ('SERVICE_TASK', 'SEND_TASK', 'USER_TASK')
    union all by name
    select
        e.element_key,
        case e.state when 'COMPLETED' then 'complete' else 'cancel' end as lifecycle,
        e.element_key || ':' || lifecycle as event_id,
        e.ended_at as happened_at,
        case when j.job_key is not null then 1 + j.used_up when e.is_human then 1 end as attempt,
        case when e.is_human then coalesce(b.actor, e.assignee)
            when lifecycle = 'complete' then j.worker end as resource,
        case when e.is_human then 'human'
            when lifecycle = 'complete' and j.job_key is not null then 'system' end
            as resource_kind
    from element as e
    left join job as j using (element_key)
    left join completed_by as b using (user_task_key)
    where e.state in ('COMPLETED', 'TERMINATED')
        and not (e.state = 'TERMINATED' and j.job_key is not null
            and (j.state = 'ERROR_THROWN' or j.retries = 0))
),
of_job as (
    select
        element_key,
        case state when 'TIMED_OUT' then 'timeout' else 'fail' end as lifecycle,
        job_key || ':' || lifecycle || ':' || epoch_ms(changed_at) as event_id,
        changed_at as happened_at,
        case state when 'FAILED' then used_up else 1 + used_up end as attempt,
        worker as resource,
        'system' as resource_kind,
        case when state = 'ERROR_THROWN' then coalesce(error_code, 'JOB_ERROR_THROWN')
            else 'JOB_' || state end as error,
        error_message
    from job
    where state in ('FAILED', 'TIMED_OUT', 'ERROR_THROWN') and changed_at is not null
        and not (state = 'FAILED' and retries = 0 and ran_out)
        and not (state = 'ERROR_THROWN' and unhandled)
    union all by name
    select
        element_key, 'scheduled' as lifecycle,
        job_key || ':scheduled:' || epoch_ms(changed_at) as event_id, changed_at as happened_at,
        case state when 'FAILED' then 1 + used_up end as attempt
    from job
    where state in ('FAILED', 'TIMED_OUT') and retries > 0 and changed_at is not null
),
of_incident as (
    select
        i.element_key, 'fail' as lifecycle, i.incident_key || ':fail' as event_id,
        i.created_at as happened_at,
        case when j.job_key is null then i.incident_key end as instance_id,
        case when j.job_key is not null then 'system' end as resource_kind,
        case when j.job_key is null then i.error_type
            when i.error_type = 'JOB_NO_RETRIES' then 'JOB_FAILED'
            when j.state = 'ERROR_THROWN' then coalesce(j.error_code, i.error_type)
            else i.error_type end as error,
        i.error_message
    from incident as i
    left join job as j using (job_key)
    where i.job_key is null or i.error_type in ('JOB_NO_RETRIES', 'UNHANDLED_ERROR_EVENT')
),
-- More tries for a job that has none left are part of resolving its incident.
stepped_in as (
    select a.*, i.element_key as on_element, i.incident_key, i.job_key as of_job
    from audit as a
    join incident as i on i.incident_key = a.entity_key
    where a.entity = 'INCIDENT' and a.operation = 'RESOLVE'
    union all by name
    select a.*, j.element_key as on_element
    from audit as a
    join job as j using (job_key)
    where a.entity = 'JOB' and a.operation = 'UPDATE' and not exists (
        select 1
        from incident as i
        left join audit as r
            on r.entity_key = i.incident_key and r.operation = 'RESOLVE'
        where i.job_key = j.job_key and i.created_at <= a.audited_at
            and coalesce(r.audited_at >= a.audited_at, true)
    )
    union all by name
    select a.*, e.element_key as on_element
    from audit as a
    join element as e using (case_id)
    where a.entity = 'PROCESS_INSTANCE' and a.operation = 'MIGRATE' and e.is_seen
        and e.started_at <= a.audited_at and coalesce(e.ended_at >= a.audited_at, true)
    union all by name
    from (
        select a.*, e.element_key as on_element
        from audit as a
        join element as e using (case_id)
        where a.entity = 'PROCESS_INSTANCE' and a.operation = 'MODIFY' and e.is_seen
            and e.started_at between a.audited_at and a.audited_at + interval 1 second
        qualify row_number() over (
            partition by a.audit_key order by e.started_at, try_cast(e.element_key as bigint)
        ) = 1
    )
),
of_person as (
    select
        on_element as element_key, 'retry' as lifecycle,
        audit_key || '-' || on_element || ':retry' as event_id, audited_at as happened_at,
        actor as resource, actor_kind as resource_kind, operation, 0 as position
    from stepped_in
    union all by name
    select
        on_element as element_key, 'scheduled' as lifecycle,
        incident_key || ':scheduled' as event_id,
        max(audited_at) as happened_at
    from stepped_in
    where of_job is not null
    group by on_element, incident_key
    union all by name
    select
        e.element_key, 'assigned' as lifecycle, a.audit_key || ':assigned' as event_id,
        a.audited_at as happened_at, 1 as attempt,
        case when row_number() over (
            partition by a.user_task_key order by a.audited_at desc, a.audit_key desc
        ) = 1 then e.assignee end as resource,
        'human' as resource_kind
    from audit as a
    join element as e using (user_task_key)
    where a.entity = 'USER_TASK' and a.operation = 'ASSIGN'
),
transition as (
    from of_element
    union all by name from of_job
    union all by name from of_incident
    union all by name from of_person
),
placed as (
    select
        columns(t.* exclude (position, instance_id)),
        coalesce(t.instance_id, t.element_key) as instance_id,
        coalesce(t.position, try_cast(t.element_key as bigint)) as position,
        e.case_id, e.activity, e.activity_id, e.process_version, e.is_human,
        j.job_type, j.retries
    from transition as t
    join element as e using (element_key)
    left join job as j using (element_key)
    where e.is_seen or t.error is not null or t.lifecycle = 'retry'
)
select
    r.process,
    p.case_id,
    p.event_id,
    p.activity,
    p.activity_id,
    p.instance_id,
    p.lifecycle,
    p.happened_at as timestamp,
    p.position,
    p.attempt::integer as attempt,
    p.resource,
    coalesce(p.resource_kind, case when p.is_human then 'human' end) as resource_kind,
    p.error as error_type,
    p.error_message,
    p.process_version::varchar as process_version,
    case
        when p.operation is not null then json_object('operation', p.operation)::varchar
        when p.job_type is not null
            then json_object('job_type', p.job_type, 'retries', p.retries)::varchar
    end as attributes,
    p.process_version as version,
    r.parent_case_id,
    r.root_case_id,
    r.case_status,
    r.case_attributes
from placed as p
join run as r using (case_id)
where p.happened_at is not null
order by r.case_id, timestamp, p.position, p.event_id
"""

_UNUSABLE = """
select
    case when item = 'process-instance' then 'a process instance without its key or process'
        else 'an element instance without key, element or start' end as reason,
    to_json(item)::varchar as record
from item
where item = 'process-instance'
        and ("processInstanceKey" is null or "processDefinitionId" is null)
    or item = 'element-instance'
        and ("elementInstanceKey" is null or "processInstanceKey" is null
            or "elementId" is null or try_cast("startDate" as timestamptz) is null)
"""
