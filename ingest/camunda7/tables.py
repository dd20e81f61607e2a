"""Camunda 7: the queries on its tables; columns are named as the REST interface names them."""

from __future__ import annotations

RESTARTED = "P.RESTARTED_PROC_INST_ID_"
WITHOUT_RESTARTED = "cast(null as char(64))"
"""Engines of before 2025 do not record what an instance restarts."""

INSTANCES = """
select
    P.ID_ as "id",
    P.BUSINESS_KEY_ as "businessKey",
    P.PROC_DEF_ID_ as "processDefinitionId",
    coalesce(P.PROC_DEF_KEY_, D.KEY_) as "processDefinitionKey",
    D.VERSION_ as "processDefinitionVersion",
    P.START_TIME_ as "startTime",
    P.END_TIME_ as "endTime",
    P.START_USER_ID_ as "startUserId",
    P.DELETE_REASON_ as "deleteReason",
    P.ROOT_PROC_INST_ID_ as "rootProcessInstanceId",
    P.SUPER_PROCESS_INSTANCE_ID_ as "superProcessInstanceId",
    {restarted} as "restartedProcessInstanceId",
    P.TENANT_ID_ as "tenantId",
    P.STATE_ as "state"
from ACT_HI_PROCINST P
left join ACT_RE_PROCDEF D on D.ID_ = P.PROC_DEF_ID_
where {condition}
order by {order}
{limit}
"""

KINDS = {
    "activity": """
select
    ID_ as "id",
    ACT_ID_ as "activityId",
    ACT_NAME_ as "activityName",
    ACT_TYPE_ as "activityType",
    PROC_INST_ID_ as "processInstanceId",
    EXECUTION_ID_ as "executionId",
    TASK_ID_ as "taskId",
    CALL_PROC_INST_ID_ as "calledProcessInstanceId",
    ASSIGNEE_ as "assignee",
    START_TIME_ as "startTime",
    END_TIME_ as "endTime",
    ACT_INST_STATE_ as "activityState"
from ACT_HI_ACTINST
where PROC_INST_ID_ in ({ids})
order by PROC_INST_ID_, SEQUENCE_COUNTER_, START_TIME_, ID_
""",
    "job-log": """
select
    J.ID_ as "id",
    J.TIMESTAMP_ as "timestamp",
    J.JOB_ID_ as "jobId",
    J.JOB_RETRIES_ as "jobRetries",
    J.JOB_EXCEPTION_MSG_ as "jobExceptionMessage",
    J.JOB_DEF_CONFIGURATION_ as "jobDefinitionConfiguration",
    J.ACT_ID_ as "activityId",
    J.FAILED_ACT_ID_ as "failedActivityId",
    J.EXECUTION_ID_ as "executionId",
    J.PROCESS_INSTANCE_ID_ as "processInstanceId",
    J.PROCESS_DEF_ID_ as "processDefinitionId",
    J.HOSTNAME_ as "hostname",
    J.JOB_STATE_ as "logState",
    substr(B.BYTES_, 1, 400) as "trace"
from ACT_HI_JOB_LOG J
left join ACT_GE_BYTEARRAY B on B.ID_ = J.JOB_EXCEPTION_STACK_ID_
where J.PROCESS_INSTANCE_ID_ in ({ids})
""",
    "external-task-log": """
select
    E.ID_ as "id",
    E.TIMESTAMP_ as "timestamp",
    E.EXT_TASK_ID_ as "externalTaskId",
    E.TOPIC_NAME_ as "topicName",
    E.WORKER_ID_ as "workerId",
    E.RETRIES_ as "retries",
    E.ERROR_MSG_ as "errorMessage",
    E.ACT_ID_ as "activityId",
    E.ACT_INST_ID_ as "activityInstanceId",
    E.PROC_INST_ID_ as "processInstanceId",
    E.STATE_ as "logState",
    substr(B.BYTES_, 1, 400) as "trace"
from ACT_HI_EXT_TASK_LOG E
left join ACT_GE_BYTEARRAY B on B.ID_ = E.ERROR_DETAILS_ID_
where E.PROC_INST_ID_ in ({ids})
""",
    "incident": """
select
    ID_ as "id",
    PROC_INST_ID_ as "processInstanceId",
    CREATE_TIME_ as "createTime",
    END_TIME_ as "endTime",
    INCIDENT_TYPE_ as "incidentType",
    INCIDENT_MSG_ as "incidentMessage",
    ACTIVITY_ID_ as "activityId",
    FAILED_ACTIVITY_ID_ as "failedActivityId",
    CAUSE_INCIDENT_ID_ as "causeIncidentId",
    HISTORY_CONFIGURATION_ as "historyConfiguration"
from ACT_HI_INCIDENT
where PROC_INST_ID_ in ({ids})
""",
    "user-operation": """
select
    ID_ as "id",
    PROC_INST_ID_ as "processInstanceId",
    JOB_ID_ as "jobId",
    EXTERNAL_TASK_ID_ as "externalTaskId",
    TASK_ID_ as "taskId",
    USER_ID_ as "userId",
    TIMESTAMP_ as "timestamp",
    OPERATION_ID_ as "operationId",
    OPERATION_TYPE_ as "operationType",
    PROPERTY_ as "property",
    NEW_VALUE_ as "newValue",
    ANNOTATION_ as "annotation"
from ACT_HI_OP_LOG
where PROC_INST_ID_ in ({ids})
""",
    "identity-link-log": """
select
    I.ID_ as "id",
    I.TIMESTAMP_ as "time",
    I.TYPE_ as "type",
    I.USER_ID_ as "userId",
    I.TASK_ID_ as "taskId",
    I.OPERATION_TYPE_ as "operationType",
    I.ASSIGNER_ID_ as "assignerId"
from ACT_HI_IDENTITYLINK I
where I.TYPE_ = 'assignee'
    and I.TASK_ID_ in (
        select A.TASK_ID_
        from ACT_HI_ACTINST A
        where A.TASK_ID_ is not null and A.PROC_INST_ID_ in ({ids})
    )
""",
}
"""What is recorded of instances, by what the REST interface calls it."""

DEFINITIONS = """
select
    D.ID_ as "id",
    D.KEY_ as "key",
    D.VERSION_ as "version",
    Y.DEPLOY_TIME_ as "deploymentTime",
    B.BYTES_ as "text"
from ACT_RE_PROCDEF D
left join ACT_RE_DEPLOYMENT Y on Y.ID_ = D.DEPLOYMENT_ID_
left join ACT_GE_BYTEARRAY B on B.DEPLOYMENT_ID_ = D.DEPLOYMENT_ID_ and B.NAME_ = D.RESOURCE_NAME_
order by Y.DEPLOY_TIME_, D.ID_
"""

MODEL = """
select B.BYTES_ as "text"
from ACT_RE_PROCDEF D
join ACT_GE_BYTEARRAY B on B.DEPLOYMENT_ID_ = D.DEPLOYMENT_ID_ and B.NAME_ = D.RESOURCE_NAME_
where D.ID_ = :id
"""

BULK_OPERATIONS = """
select count(*)
from ACT_HI_OP_LOG
where TIMESTAMP_ >= :after
    and OPERATION_TYPE_ in ('SetJobRetries', 'SetExternalTaskRetries')
    and PROC_INST_ID_ is null
"""
