-- The data model. Names are kept once, in small tables; events and what is derived from them carry
-- integer keys, so that every analysis is a scan of narrow columns. The view "event" spells them out.
-- No primary keys and no indexes: merging is by join inside the one transaction of a batch.

create type lifecycle as enum (
    'scheduled', 'assigned', 'start', 'suspend', 'resume', 'complete',
    'fail', 'timeout', 'cancel', 'skip', 'retry'
);
create type instance_status as enum (
    'completed', 'failed', 'timed_out', 'cancelled', 'skipped', 'running', 'scheduled'
);
-- Why work was begun again, where it is no rework: the engine tried again, or a person ordered it.
create type repetition as enum ('retry', 'intervention');
create type case_status as enum ('completed', 'failed', 'timed_out', 'cancelled', 'running');

create table format (version integer, changes bigint);
insert into format values (3, 0);

create table process (process_key smallint, process varchar);

create table activity (
    process_key smallint,
    activity_key integer,
    activity varchar,
    activity_id varchar
);

create table resource (
    process_key smallint,
    resource_key integer,
    resource varchar,
    resource_kind varchar
);

create table case_identity (
    process_key smallint,
    case_key integer,
    case_id varchar,
    parent_case_id varchar,
    root_case_id varchar,
    status case_status,
    attributes variant
);

create table error (process_key smallint, error_key integer, error_type varchar);

create table process_version (process_key smallint, version_key integer, process_version varchar);

create table load (
    load_id integer,
    source varchar,
    process varchar,
    origin varchar,
    fingerprint varchar,
    finished boolean,
    batches_done integer,
    read bigint,
    "new" bigint,
    duplicate bigint,
    corrected bigint,
    unchanged bigint,
    rejected bigint,
    cases bigint,
    first_event timestamp,
    last_event timestamp,
    notes varchar,
    started_at timestamp,
    seconds double,
    code_version varchar
);

create table recorded_event (
    process_key smallint,
    case_key integer,
    event_key bigint,
    activity_key integer,
    lifecycle lifecycle,
    timestamp timestamp,
    position bigint,
    occurrence integer,
    attempt integer,
    resource_key integer,
    error_key integer,
    version_key integer,
    load_id integer
);

-- What only some events have; one row per event that has any of it.
create table event_detail (
    process_key smallint,
    case_key integer,
    event_key bigint,
    event_id varchar,
    instance_id varchar,
    lifecycle_source varchar,
    error_message varchar,
    attributes variant,
    version bigint
);

create view event as
select
    p.process,
    c.case_id,
    coalesce(
        d.event_id,
        md5(concat_ws(chr(31), c.case_id, a.activity,
            coalesce(d.lifecycle_source, e.lifecycle::varchar), epoch_us(e.timestamp),
            coalesce(r.resource, ''), e.occurrence))
    ) as event_id,
    a.activity,
    a.activity_id,
    d.instance_id,
    e.lifecycle::varchar as lifecycle,
    d.lifecycle_source,
    e.timestamp,
    e.position,
    e.attempt,
    r.resource,
    r.resource_kind,
    x.error_type,
    d.error_message,
    v.process_version,
    d.attributes,
    d.version,
    l.source,
    e.load_id,
    e.process_key,
    e.case_key,
    e.event_key
from recorded_event as e
join process as p on p.process_key = e.process_key
join case_identity as c on c.case_key = e.case_key
join activity as a on a.activity_key = e.activity_key
left join event_detail as d on d.event_key = e.event_key
left join resource as r on r.resource_key = e.resource_key
left join error as x on x.error_key = e.error_key
left join process_version as v on v.version_key = e.version_key
left join load as l on l.load_id = e.load_id;

create table event_history as
select columns(*), null::integer as replaced_by from event where false;

create table rejected (
    load_id integer,
    process varchar,
    source varchar,
    reason varchar,
    record varchar
);

-- Where reading a system goes on; `scope` says which system it is, as two may be of one kind.
create table cursor (source varchar, scope varchar, cursor varchar, load_id integer, moved_at timestamp);

-- Modelled workflows, as their systems gave them.
create table definition (
    process varchar,
    version varchar,
    format varchar,
    definition_id varchar,
    text varchar,
    sha256 varchar,
    valid_from timestamp,
    source varchar,
    load_id integer
);

-- What a source could not tell, and the measures that this touches.
create table limitation (
    load_id integer,
    process varchar,
    kind varchar,
    text varchar,
    measures varchar[],
    events bigint
);

-- Which activity a name in the modelled workflows means, where a person said so.
create table model_name (
    process_key smallint,
    label varchar,
    activity varchar,
    confirmed_by varchar,
    confirmed_at timestamp
);

-- Deviations that were accepted; one that was withdrawn or is past its day counts for nothing.
create table allowance (
    process_key smallint,
    allowance_id integer,
    kind varchar,
    activity varchar,
    rule varchar,
    process_version varchar,
    attribute varchar,
    attribute_value varchar,
    reason varchar,
    owner varchar,
    approver varchar,
    allowed_at timestamp,
    expires_at timestamp,
    withdrawn_at timestamp
);

-- Derived by `prepare`; equal to a full rebuild at any time.

-- Instances of which nothing is known but that they were completed; most logs hold no others. To
-- write a column that holds nothing for each of many millions takes as long as one that does.
create table completed_instance (
    process_key smallint,
    case_key integer,
    number integer,
    activity_key integer,
    next_activity_key integer,
    completed_at timestamp,
    resource_key integer,
    next_resource_key integer,
    next_time bigint
);

create table detailed_instance (
    process_key smallint,
    case_key integer,
    number integer,
    activity_key integer,
    next_activity_key integer,
    scheduled_at timestamp,
    started_at timestamp,
    completed_at timestamp,
    status instance_status,
    attempt integer,
    repetition repetition,
    resource_key integer,
    next_resource_key integer,
    error_key integer,
    waiting_time bigint,
    service_time bigint,
    next_time bigint
);

create view activity_instance as
select
    process_key,
    case_key,
    number,
    activity_key,
    next_activity_key,
    null::timestamp as scheduled_at,
    null::timestamp as started_at,
    completed_at,
    'completed'::instance_status as status,
    null::integer as attempt,
    null::repetition as repetition,
    resource_key,
    next_resource_key,
    null::integer as error_key,
    null::bigint as waiting_time,
    null::bigint as service_time,
    next_time
from completed_instance
union all by name
from detailed_instance;

create table "case" (
    process_key smallint,
    case_key integer,
    variant_key integer,
    started_at timestamp,
    completed_at timestamp,
    status case_status,
    version_key integer,
    first_activity_key integer,
    last_activity_key integer,
    cycle_time bigint,
    processing_time bigint,
    active_time bigint,
    events integer,
    instances integer,
    failed_instances integer,
    retries integer,
    rework integer,
    interventions integer,
    tied_events integer,
    late_events integer
);

create table variant (process_key smallint, variant_key integer, activity_keys integer[]);

-- What a variant does more than once. The cases with an activity are its instances less the repeats,
-- and the cases on a path are its frequency less the repeats, each times the cases of the variant.
create table repeated_activity (
    process_key smallint,
    variant_key integer,
    activity_key integer,
    times integer
);

create table repeated_path (
    process_key smallint,
    variant_key integer,
    activity_key integer,
    next_activity_key integer,
    times integer
);

-- What conformance found out; kept, because a model and a trace never change. A trace is what was
-- done without what the engine did again or left out. Its key is that of the variant where that is
-- the same, else it is below zero and made from the activities.

create table trace (process_key smallint, trace_key bigint, activity_keys integer[]);

-- The cases whose trace is not their variant, up to a load.
create table traced_case (process_key smallint, case_key integer, trace_key bigint);

create table traced_load (process_key smallint, load_id integer);

-- `model` is the beginning of the digest of a net with its names.
create table alignment (process_key smallint, model ubigint, trace_key bigint, cost integer);

create table trace_deviation (
    process_key smallint,
    model ubigint,
    trace_key bigint,
    number integer,
    kind varchar,
    activity varchar,
    instead varchar,
    expected_after varchar,
    element_id varchar
);

-- Of all cases that `scope` tells to hold against the model, as they stood after a load.
create table model_quality (
    process_key smallint,
    model ubigint,
    scope ubigint,
    load_id integer,
    precision double,
    precision_covered double,
    generalization double
);
