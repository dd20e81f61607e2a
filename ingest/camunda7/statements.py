"""Camunda 7: the statements that make events of the rows of its history."""

from __future__ import annotations

# What happened in a case, one row per element of the model that was entered. A gateway decides, it
# does no work; it counts only where deciding failed.
STEPS = """
create temp table "case" as
select
    id as case_id,
    processDefinitionKey as process,
    coalesce(
        processDefinitionVersion::varchar,
        regexp_extract(processDefinitionId, '^[^:]+:([0-9]+):', 1)
    ) as version,
    nullif(superProcessInstanceId, id) as parent_case_id,
    coalesce(rootProcessInstanceId, id) as root_case_id,
    case
        when state in ('ACTIVE', 'SUSPENDED') then 'running'
        when state like '%TERMINATED' then 'cancelled'
        when state = 'COMPLETED' or endTime is not null then 'completed'
        else 'running'
    end as status,
    json_merge_patch('{}', json_object(
        'business_key', businessKey,
        'started_by', startUserId,
        'tenant', tenantId,
        'state', state,
        'delete_reason', deleteReason,
        'restarted_from', restartedProcessInstanceId,
        'definition', processDefinitionId
    ))::varchar as attributes,
    startTime as started_at,
    startUserId as started_by,
    restartedProcessInstanceId as restarted_from,
    processDefinitionId as definition_id
from instance
where problem is null;

create temp table named as
select
    c.definition_id,
    a.activityId as activity_id,
    any_value(nullif(trim(regexp_replace(a.activityName, '\\s+', ' ', 'g')), '')) as name,
    any_value(a.activityType) as type
from activity as a
join "case" as c on c.case_id = a.processInstanceId
where a.problem is null
group by c.definition_id, a.activityId
union all
select
    processDefinitionId as definition_id,
    activityId as activity_id,
    nullif(trim(regexp_replace(name, '\\s+', ' ', 'g')), '') as name,
    type
from element
where (processDefinitionId, activityId) not in (
    select (c.definition_id, a.activityId)
    from activity as a
    join "case" as c on c.case_id = a.processInstanceId
    where a.problem is null
);

create temp table label as
select
    definition_id,
    activity_id,
    coalesce(name, activity_id) as activity,
    type,
    case
        when type ilike '%subprocess' or lower(type) in ('transaction', 'multiinstancebody') then 2
        when type ilike '%gateway' and not o.gateways then 1
        else 0
    end as hidden
from named
cross join option as o;

create temp table step as
select
    a.id,
    a.processInstanceId as case_id,
    a.activityId as activity_id,
    l.activity,
    a.activityType as type,
    l.hidden,
    a.executionId as execution_id,
    a.taskId as task_id,
    a.calledProcessInstanceId as called_case_id,
    a.assignee,
    a.startTime as started_at,
    a.endTime as ended_at,
    coalesce(a.canceled, false) as cancelled,
    a.activityType ilike 'start%event' or a.activityType ilike '%endevent'
        or a.activityType ilike '%boundary%' or a.activityType ilike '%throw%' as momentary,
    row_number() over (partition by a.processInstanceId order by a.row) as place
from activity as a
join "case" as c on c.case_id = a.processInstanceId
join label as l on l.definition_id = c.definition_id and l.activity_id = a.activityId
where a.problem is null and l.hidden < 2;
"""

# A job that fails leaves no activity instance: its transaction was rolled back. Its log tells the
# attempts; the one that succeeded is the activity instance that began within it.
ATTEMPTS = """
create temp table job as
select
    jobId as job_id,
    any_value(processInstanceId) as case_id,
    any_value(activityId) as activity_id,
    any_value(executionId) as execution_id,
    any_value(jobDefinitionConfiguration) as configuration,
    min(timestamp) filter (where creationLog) as created_at,
    min(timestamp) filter (where successLog) as succeeded_at,
    min(timestamp) filter (where deletionLog) as deleted_at
from job_log
where problem is null and processInstanceId is not null
group by jobId;

create temp table failure as
select
    id,
    'job:' || jobId || ':' || coalesce(failedActivityId, activityId) as work,
    processInstanceId as case_id,
    coalesce(failedActivityId, activityId) as activity_id,
    jobId as job_id,
    null::varchar as task_id,
    timestamp,
    jobExceptionMessage as message,
    exception,
    null::varchar as worker,
    hostname as host,
    row_number() over (
        partition by jobId, coalesce(failedActivityId, activityId)
        order by timestamp, jobRetries desc, id
    ) as attempt
from job_log
where problem is null and failureLog and processInstanceId is not null
union all
select
    id,
    'external:' || externalTaskId as work,
    processInstanceId as case_id,
    activityId as activity_id,
    null as job_id,
    externalTaskId as task_id,
    timestamp,
    errorMessage as message,
    exception,
    workerId as worker,
    null as host,
    row_number() over (
        partition by externalTaskId order by timestamp, retries desc, id
    ) as attempt
from external_task_log
where problem is null and failureLog;

create temp table tried as
select
    f.work,
    f.job_id,
    f.case_id,
    f.activity_id,
    count(*) as failures
from failure as f
where f.job_id is not null
group by f.work, f.job_id, f.case_id, f.activity_id
union all
select
    'job:' || j.job_id || ':' || j.activity_id as work,
    j.job_id,
    j.case_id,
    j.activity_id,
    0 as failures
from job as j
where j.configuration = 'async-before'
    and 'job:' || j.job_id || ':' || j.activity_id not in (select work from failure);

create temp table external_task as
select
    e.externalTaskId as task_id,
    any_value(e.activityInstanceId) as step_id,
    any_value(e.activityId) as activity_id,
    any_value(e.processInstanceId) as case_id,
    any_value(e.topicName) as topic,
    any_value(e.workerId) filter (where e.successLog or e.deletionLog) as worker,
    count(*) filter (where e.failureLog) as failures
from external_task_log as e
where e.problem is null
group by e.externalTaskId;

create temp table succeeded as
with candidate as (
    select
        s.id as step_id,
        t.work,
        t.failures,
        row_number() over (
            partition by t.work
            order by s.execution_id = j.execution_id desc, s.started_at desc, s.place desc
        ) as nth_step,
        row_number() over (
            partition by s.id
            order by s.execution_id = j.execution_id desc, j.succeeded_at, t.work
        ) as nth_work
    from tried as t
    join job as j using (job_id)
    join step as s
        on s.case_id = t.case_id
        and s.activity_id = t.activity_id
        and s.started_at between j.created_at and j.succeeded_at
)
select step_id, work, failures
from candidate
where nth_step = 1 and nth_work = 1;

create temp table work as
select
    s.*,
    case
        when e.task_id is not null then 'external:' || e.task_id || '#' || e.failures + 1
        when j.work is not null then j.work || '#' || j.failures + 1
        else s.id
    end as instance_id,
    case
        when e.task_id is not null then e.failures + 1
        when j.work is not null then j.failures + 1
        when s.type = 'userTask' then 1
    end as attempt,
    e.task_id as external_task_id,
    e.worker,
    json_merge_patch('{}', json_object(
        'type', s.type, 'called_case', s.called_case_id, 'topic', e.topic
    ))::varchar as attributes
from step as s
left join external_task as e on e.step_id = s.id
left join succeeded as j on j.step_id = s.id
where s.hidden = 0 or j.failures > 0;

create temp table claim as
select
    i.id,
    w.case_id,
    w.id as step_id,
    i.userId as resource,
    i.time as timestamp,
    i.assignerId = i.userId and i.time > w.started_at as own,
    row_number() over (
        partition by w.id, i.assignerId = i.userId and i.time > w.started_at
        order by i.time, i.id
    ) as nth
from identity_link_log as i
join work as w on w.task_id = i.taskId
where i.problem is null
    and i.type = 'assignee'
    and i.operationType = 'add'
    and i.userId is not null;

create temp table finished_by as
select taskId as task_id, arg_max(userId, timestamp) as resource
from user_operation
where problem is null and operationType = 'Complete' and taskId is not null
group by taskId;
"""
