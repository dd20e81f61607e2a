"""Camunda 7: the statement that says which events the steps and attempts of a case are."""

from __future__ import annotations

# What takes no time, like a start or an end, is a completion only. A user task or an external task
# is scheduled when it is entered; nobody knows when work on it began, but for a claim by the one
# who then works on it. A person's operation is an intervention.
EVENTS = """
with happened as (
    select
        w.case_id,
        case when w.type = 'userTask' or w.external_task_id is not null
            then w.id || ':scheduled' else w.id || ':start' end as event_id,
        w.activity,
        w.activity_id,
        case when w.external_task_id is not null
            then 'external:' || w.external_task_id || '#1' else w.instance_id end as instance_id,
        case when w.type = 'userTask' or w.external_task_id is not null
            then 'scheduled' else 'start' end as lifecycle,
        w.started_at as timestamp,
        w.place * 8 + 1 as place,
        case when w.external_task_id is not null then 1 else w.attempt end as attempt,
        null::varchar as resource,
        case when w.type in (
            'serviceTask', 'scriptTask', 'sendTask', 'businessRuleTask'
        ) then 'system' end as resource_kind,
        null::varchar as error_type,
        null::varchar as error_message,
        w.type,
        w.attributes
    from work as w
    where not (w.momentary and w.ended_at is not null)
    union all
    select
        w.case_id,
        w.id || ':end' as event_id,
        w.activity,
        w.activity_id,
        w.instance_id,
        case when w.cancelled then 'cancel' else 'complete' end as lifecycle,
        w.ended_at as timestamp,
        w.place * 8 + 4 as place,
        w.attempt,
        case when w.type = 'userTask' and w.cancelled then w.assignee
            when w.type = 'userTask' then coalesce(f.resource, w.assignee)
            when w.type ilike 'start%event' and w.place = 1 then c.started_by
            else w.worker end as resource,
        case
            when w.type = 'userTask' and coalesce(f.resource, w.assignee) is not null then 'human'
            when w.type in ('serviceTask', 'scriptTask', 'sendTask', 'businessRuleTask')
                then 'system'
        end as resource_kind,
        null as error_type,
        null as error_message,
        w.type,
        w.attributes
    from work as w
    join "case" as c using (case_id)
    left join finished_by as f using (task_id)
    where w.ended_at is not null
    union all
    select
        w.case_id,
        i.id || ':assigned' as event_id,
        w.activity,
        w.activity_id,
        w.instance_id,
        case when i.own and i.nth = 1 then 'start' else 'assigned' end as lifecycle,
        i.timestamp,
        w.place * 8 + 2 as place,
        w.attempt,
        i.resource,
        'human' as resource_kind,
        null as error_type,
        null as error_message,
        w.type,
        w.attributes
    from claim as i
    join work as w on w.id = i.step_id
    union all
    select
        t.case_id,
        'job:' || j.job_id || ':scheduled' as event_id,
        coalesce(l.activity, t.activity_id) as activity,
        t.activity_id,
        t.work || '#1' as instance_id,
        'scheduled' as lifecycle,
        j.created_at as timestamp,
        900000 as place,
        1 as attempt,
        null as resource,
        'system' as resource_kind,
        null as error_type,
        null as error_message,
        l.type,
        json_merge_patch('{}', json_object('type', l.type))::varchar as attributes
    from tried as t
    join job as j on j.job_id = t.job_id and j.activity_id = t.activity_id
    join "case" as c on c.case_id = t.case_id
    left join label as l on l.definition_id = c.definition_id and l.activity_id = t.activity_id
    where j.configuration = 'async-before'
        and j.created_at is not null
        and (coalesce(l.hidden, 0) = 0 or t.failures > 0)
        and t.work not in (
            select s.work
            from succeeded as s
            join external_task as e using (step_id)
        )
    union all
    select
        t.case_id,
        'job:' || j.job_id || ':cancel' as event_id,
        coalesce(l.activity, t.activity_id) as activity,
        t.activity_id,
        t.work || '#' || t.failures + 1 as instance_id,
        'cancel' as lifecycle,
        j.deleted_at as timestamp,
        900002 as place,
        t.failures + 1 as attempt,
        null as resource,
        'system' as resource_kind,
        null as error_type,
        null as error_message,
        l.type,
        json_merge_patch('{}', json_object('type', l.type))::varchar as attributes
    from tried as t
    join job as j on j.job_id = t.job_id and j.activity_id = t.activity_id
    join "case" as c on c.case_id = t.case_id
    left join label as l on l.definition_id = c.definition_id and l.activity_id = t.activity_id
    where j.configuration = 'async-before'
        and j.deleted_at is not null
        and j.succeeded_at is null
        and (coalesce(l.hidden, 0) = 0 or t.failures > 0)
    union all
    select
        f.case_id,
        f.id || ':fail' as event_id,
        coalesce(l.activity, f.activity_id) as activity,
        f.activity_id,
        f.work || '#' || f.attempt as instance_id,
        'fail' as lifecycle,
        f.timestamp,
        900001 as place,
        f.attempt,
        f.worker as resource,
        'system' as resource_kind,
        nullif(
            regexp_extract(
                f.exception, '^([\\w$]+\\.)*[\\w$]*(Exception|Error|Throwable|Fault)\\b'
            ),
            ''
        ) as error_type,
        f.message as error_message,
        l.type,
        json_merge_patch('{}', json_object(
            'type', l.type,
            'host', f.host,
            'incident', i.incidentType,
            'incident_opened_at', i.createTime::varchar,
            'incident_closed_at', i.endTime::varchar
        ))::varchar as attributes
    from failure as f
    join "case" as c on c.case_id = f.case_id
    left join label as l on l.definition_id = c.definition_id and l.activity_id = f.activity_id
    left join incident as i on i.historyConfiguration = f.id and i.problem is null
        and coalesce(i.causeIncidentId, i.id) = i.id
    union all
    select
        i.processInstanceId as case_id,
        i.id || ':incident' as event_id,
        coalesce(l.activity, i.failedActivityId, i.activityId) as activity,
        coalesce(i.failedActivityId, i.activityId) as activity_id,
        'incident:' || i.id as instance_id,
        'fail' as lifecycle,
        i.createTime as timestamp,
        900001 as place,
        null as attempt,
        null as resource,
        null as resource_kind,
        i.incidentType as error_type,
        i.incidentMessage as error_message,
        l.type,
        json_merge_patch('{}', json_object(
            'type', l.type, 'incident_closed_at', i.endTime::varchar
        ))::varchar as attributes
    from incident as i
    join "case" as c on c.case_id = i.processInstanceId
    left join label as l
        on l.definition_id = c.definition_id
        and l.activity_id = coalesce(i.failedActivityId, i.activityId)
    where i.problem is null
        and coalesce(i.causeIncidentId, i.id) = i.id
        and coalesce(i.failedActivityId, i.activityId) is not null
        and (i.historyConfiguration is null
            or i.historyConfiguration not in (select id from failure))
    union all
    select
        o.processInstanceId as case_id,
        o.id || ':retry' as event_id,
        coalesce(l.activity, t.activity_id) as activity,
        t.activity_id,
        null as instance_id,
        'retry' as lifecycle,
        o.timestamp,
        900003 as place,
        null as attempt,
        o.userId as resource,
        case when o.userId is not null then 'human' end as resource_kind,
        null as error_type,
        null as error_message,
        l.type,
        json_merge_patch('{}', json_object(
            'operation', o.operationType, 'note', o.annotation
        ))::varchar as attributes
    from user_operation as o
    join "case" as c on c.case_id = o.processInstanceId
    join lateral (
        select coalesce(
            (
                select arg_max(f.activity_id, (f.timestamp, f.attempt))
                from failure as f
                where (f.job_id = o.jobId or f.task_id = o.externalTaskId)
                    and f.timestamp <= o.timestamp
            ),
            (select any_value(j.activity_id) from job as j where j.job_id = o.jobId),
            (
                select any_value(e.activity_id)
                from external_task as e
                where e.task_id = o.externalTaskId
            )
        ) as activity_id
    ) as t on true
    left join label as l on l.definition_id = c.definition_id and l.activity_id = t.activity_id
    where o.problem is null
        and o.operationType in ('SetJobRetries', 'SetExternalTaskRetries')
        and o.newValue is distinct from '0'
        and t.activity_id is not null
    union all
    select
        o.processInstanceId as case_id,
        o.operationId || ':retry' as event_id,
        'Modify process instance' as activity,
        null as activity_id,
        null as instance_id,
        'retry' as lifecycle,
        min(o.timestamp) as timestamp,
        900003 as place,
        null as attempt,
        any_value(o.userId) as resource,
        case when any_value(o.userId) is not null then 'human' end as resource_kind,
        null as error_type,
        null as error_message,
        null as type,
        json_merge_patch('{}', json_object(
            'operation', o.operationType, 'note', any_value(o.annotation)
        ))::varchar as attributes
    from user_operation as o
    where o.problem is null and o.operationType = 'ModifyProcessInstance'
    group by o.processInstanceId, o.operationId, o.operationType
    union all
    select
        c.case_id,
        c.case_id || ':restart' as event_id,
        'Restart process instance' as activity,
        null as activity_id,
        null as instance_id,
        'retry' as lifecycle,
        c.started_at as timestamp,
        0 as place,
        null as attempt,
        c.started_by as resource,
        case when c.started_by is not null then 'human' end as resource_kind,
        null as error_type,
        null as error_message,
        null as type,
        json_object('operation', 'RestartProcessInstance')::varchar as attributes
    from "case" as c
    where c.restarted_from is not null
),
unusable as (
    select problem, record from instance where problem is not null
    union all
    select problem, record from activity where problem is not null
    union all
    select problem, record from job_log where problem is not null
    union all
    select problem, record from external_task_log where problem is not null
    union all
    select problem, record from incident where problem is not null
    union all
    select problem, record from user_operation where problem is not null
    union all
    select problem, record from identity_link_log where problem is not null
)
select
    c.process,
    h.case_id,
    h.event_id,
    h.activity,
    h.activity_id,
    h.instance_id,
    h.lifecycle,
    h.timestamp,
    epoch_ms(h.timestamp) * 1000000 + h.place % 1000000 as position,
    h.attempt,
    h.resource,
    h.resource_kind,
    h.error_type,
    h.error_message,
    c.version as process_version,
    h.attributes,
    null::bigint as version,
    c.parent_case_id,
    c.root_case_id,
    c.status as case_status,
    c.attributes as case_attributes,
    null::varchar as reason,
    null::varchar as record
from happened as h
join "case" as c using (case_id)
union all
select
    null, null, null, null, null, null, null, null, null, null, null, null,
    null, null, null, null, null, null, null, null, null, problem, record
from unusable
order by case_id, position, event_id
"""
