"""Steps of jobs, elements, tasks and incidents of Zeebe as lifecycle transitions, in SQL."""

from __future__ import annotations

# The steps of each job in order, each once. A worker that fails a job after it was taken from it
# for being late ends no attempt: that one had timed out. More tries for a job that has none left
# are part of resolving its incident.
JOB_STEP = """
create or replace temp table job_step as
with step as (
    select rowid as record_row, coalesce(job_key, key) as job, position, kind, intent, retries
    from record
    where kind = 'JOB' or kind = 'INCIDENT' and job_key is not null
    qualify row_number() over (partition by job, position) = 1
),
looked_at as (
    select
        columns(*),
        bool_or(intent = 'CREATED' and kind = 'JOB') over whole as is_whole,
        bool_or(intent = 'ACTIVATED') over whole as is_taken,
        lag(intent) over ordered as before,
        coalesce(lag(retries ignore nulls) over ordered = 0, false) as was_out
    from step
    window
        ordered as (partition by job order by position),
        whole as (
            partition by job order by position
            rows between unbounded preceding and unbounded following
        )
)
select
    record_row,
    job,
    was_out,
    case when is_whole then 1 + coalesce(count(*) filter (
        where intent in ('FAILED', 'TIMED_OUT', 'ERROR_THROWN')
    ) over (
        partition by job order by position rows between unbounded preceding and 1 preceding
    ), 0) end as attempt
from looked_at
where not (intent = 'FAILED' and before = 'TIMED_OUT' and is_taken)
"""

# Elements whose end is told better by their job or user task than by themselves.
ENDED = """
create or replace temp table ended as
select distinct element_key
from record
where kind = 'USER_TASK' and intent in ('COMPLETED', 'CANCELED')
    or kind = 'JOB' and (intent in ('COMPLETED', 'CANCELED', 'ERROR_THROWN') or retries = 0)
"""

TRANSITION = """
create or replace temp table transition as
with job_ending as (
    select unnest([
        {intent: 'CREATED', lifecycle: 'scheduled', later: 0},
        {intent: 'ACTIVATED', lifecycle: 'start', later: 0},
        {intent: 'FAILED', lifecycle: 'fail', later: 0},
        {intent: 'FAILED', lifecycle: 'scheduled', later: 1},
        {intent: 'TIMED_OUT', lifecycle: 'timeout', later: 0},
        {intent: 'TIMED_OUT', lifecycle: 'scheduled', later: 1},
        {intent: 'ERROR_THROWN', lifecycle: 'fail', later: 0},
        {intent: 'COMPLETED', lifecycle: 'complete', later: 0},
        {intent: 'CANCELED', lifecycle: 'cancel', later: 0},
        {intent: 'RETRIES_UPDATED', lifecycle: 'retry', later: 0},
        {intent: 'UPDATED', lifecycle: 'retry', later: 0}
    ], recursive := true)
),
of_element as (
    select
        rowid as record_row,
        case intent
            when 'ELEMENT_ACTIVATED' then 'start'
            when 'ELEMENT_COMPLETED' then 'complete'
            when 'ELEMENT_TERMINATED' then 'cancel'
            when 'ELEMENT_MIGRATED' then 'retry'
        end as lifecycle,
        case when lifecycle = 'retry' then partition_id || '-' || position || ':retry'
            else element_key || ':' || lifecycle end as event_id,
        element_key as instance_id,
        case when lifecycle = 'retry' then coalesce(person, client) end as resource,
        case when lifecycle = 'retry' and client is not null then 'system'
            when lifecycle = 'retry' or element_type = 'USER_TASK' then 'human' end
            as resource_kind,
        case when lifecycle = 'retry' then 'MIGRATE' end as operation,
        1 as version
    from record
    where kind = 'PROCESS_INSTANCE'
        and list_contains($seen, element_type)
        and case when intent = 'ELEMENT_ACTIVATED' then list_contains($begins, element_type)
            else intent = 'ELEMENT_MIGRATED' or element_key not in (from ended) end
),
of_job as (
    select
        s.record_row,
        lifecycle,
        case when lifecycle in ('complete', 'cancel') then element_key || ':' || lifecycle
            else partition_id || '-' || position || '-' || job || ':' || lifecycle end as event_id,
        element_key as instance_id,
        case when lifecycle <> 'retry' then attempt + later end as attempt,
        case
            when lifecycle = 'retry' then coalesce(person, client)
            when later = 1 or intent in ('CREATED', 'CANCELED') then null
            when job_type = $user_task then person
            else worker
        end as resource,
        case
            when lifecycle = 'retry' then case when client is null then 'human' else 'system' end
            when job_type = $user_task then 'human'
            when later = 1 or intent in ('CREATED', 'CANCELED') then null
            else 'system'
        end as resource_kind,
        case lifecycle
            when 'fail' then coalesce(
                case when intent = 'ERROR_THROWN' then error_code end, 'JOB_' || intent
            )
            when 'timeout' then 'JOB_TIMED_OUT'
        end as error,
        case when lifecycle = 'retry' then 'UPDATE' end as operation,
        case when later = 1 and intent = 'FAILED' then backoff end as delay,
        2 as version
    from job_step as s
    join record as r on r.rowid = s.record_row
    join job_ending using (intent)
    where kind = 'JOB'
        and (intent <> 'UPDATED' or retries_changed)
        and (lifecycle <> 'retry' or not was_out)
        and (intent <> 'CANCELED' or retries > 0)
        and (intent <> 'FAILED' or later = 0 or retries > 0)
),
resolved as (
    select
        r.rowid as record_row, r.key, r.element_key, r.job_key, s.attempt,
        coalesce(r.person, r.client) as resource,
        case when r.client is null then 'human' else 'system' end as resource_kind
    from record as r
    left join job_step as s on s.record_row = r.rowid
    where r.kind = 'INCIDENT' and r.intent = 'RESOLVED' and not exists (
        select 1
        from record as t
        where t.kind = 'PROCESS_INSTANCE' and t.intent = 'ELEMENT_TERMINATED'
            and t.partition_id = r.partition_id
            and t.source_position = r.source_position
            and t.element_key = r.element_key
    )
),
of_incident as (
    select
        rowid as record_row, 'fail' as lifecycle, key || ':fail' as event_id, key as instance_id,
        error_type as error
    from record
    where kind = 'INCIDENT' and intent = 'CREATED' and job_key is null
    union all by name
    select
        record_row, 'retry' as lifecycle, key || ':retry' as event_id, element_key as instance_id,
        resource, resource_kind, 'RESOLVE' as operation
    from resolved
    union all by name
    select
        record_row, 'scheduled' as lifecycle, key || ':scheduled' as event_id,
        element_key as instance_id, attempt
    from resolved
    where job_key is not null
),
of_person as (
    select
        rowid as record_row,
        case intent when 'CREATED' then 'scheduled' when 'ASSIGNED' then 'assigned'
            when 'COMPLETED' then 'complete' when 'CANCELED' then 'cancel' end as lifecycle,
        case when intent = 'ASSIGNED' then partition_id || '-' || position || ':assigned'
            else element_key || ':' || lifecycle end as event_id,
        element_key as instance_id,
        1 as attempt,
        case when intent = 'CREATED' then null
            when intent = 'COMPLETED' then coalesce(person, assignee) else assignee end as resource,
        'human' as resource_kind,
        action as operation,
        2 as version
    from record
    where kind = 'USER_TASK'
        and (intent in ('CREATED', 'COMPLETED', 'CANCELED')
            or intent = 'ASSIGNED' and assignee is not null)
    union all by name
    select
        rowid as record_row,
        'retry' as lifecycle,
        partition_id || '-' || position || '-' || element_id || ':retry' as event_id,
        coalesce(person, client) as resource,
        case when client is null then 'human' else 'system' end as resource_kind,
        'MODIFY' as operation
    from record
    where kind = 'PROCESS_INSTANCE_MODIFICATION' and intent = 'MODIFIED' and element_id is not null
)
from of_element
union all by name from of_job
union all by name from of_incident
union all by name from of_person
"""
