"""What a store holds, in names instead of keys: two stores are equal when their contents are."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

import duckdb

_EVENT = """
    process, case_id, event_id, activity, activity_id, instance_id, lifecycle, lifecycle_source,
    timestamp, position, attempt, resource, resource_kind, error_type, error_message,
    process_version, attributes::json::varchar as attributes, version
"""

TABLES = {
    "event": f"select {_EVENT} from event",
    "event_loaded": "select process, case_id, event_id, source, load_id from event",
    "event_history": f"select {_EVENT}, source, load_id, replaced_by from event_history",
    "load": """
        select
            load_id, source, process, origin, fingerprint, finished, batches_done, read, "new",
            duplicate, corrected, unchanged, rejected, cases, first_event, last_event, notes
        from load
    """,
    "rejected": "select load_id, process, source, reason, record from rejected",
    "definition": "select columns(* exclude (load_id)) from definition",
    "limitation": "select columns(*) from limitation",
    "cursor": "select source, scope, cursor, load_id from cursor",
    "fact": """
        select
            p.process, c.case_id, c.parent_case_id, c.root_case_id, c.status,
            c.attributes::json::varchar as attributes
        from case_identity as c
        join process as p using (process_key)
        semi join recorded_event as e on e.case_key = c.case_key
    """,
    "activity": """
        select p.process, a.activity, a.activity_id
        from activity as a
        join process as p using (process_key)
        semi join recorded_event as e on e.activity_key = a.activity_key
    """,
    "activity_instance": """
        select
            p.process, c.case_id, i.number, a.activity, n.activity as next_activity,
            i.scheduled_at, i.started_at, i.completed_at, i.status, i.attempt, i.repetition,
            r.resource, r.resource_kind, s.resource as next_resource,
            x.error_type, i.waiting_time, i.service_time, i.next_time
        from activity_instance as i
        join process as p using (process_key)
        join case_identity as c using (case_key)
        join activity as a on a.activity_key = i.activity_key
        left join activity as n on n.activity_key = i.next_activity_key
        left join resource as r on r.resource_key = i.resource_key
        left join resource as s on s.resource_key = i.next_resource_key
        left join error as x on x.error_key = i.error_key
    """,
    "case": """
        select
            p.process, i.case_id, v.path, c.started_at, c.completed_at, c.status,
            w.process_version, f.activity as first_activity, l.activity as last_activity,
            c.cycle_time, c.processing_time, c.active_time, c.events, c.instances,
            c.failed_instances, c.retries, c.rework, c.interventions
        from "case" as c
        join process as p using (process_key)
        join case_identity as i using (case_key)
        join named_variant as v using (variant_key)
        left join process_version as w on w.version_key = c.version_key
        left join activity as f on f.activity_key = c.first_activity_key
        left join activity as l on l.activity_key = c.last_activity_key
    """,
    "variant": "select process, path from named_variant join process using (process_key)",
    "repeated_path": """
        select v.path, a.activity, n.activity as next_activity, p.times
        from repeated_path as p
        join named_variant as v using (variant_key)
        join activity as a on a.activity_key = p.activity_key
        join activity as n on n.activity_key = p.next_activity_key
    """,
}
"""A SELECT for each part of the content; keys, clocks and durations of loads are left out."""

_NAMED_VARIANT = """
create or replace temp view named_variant as
with position as (
    select
        process_key, variant_key, unnest(activity_keys) as activity_key,
        unnest(range(len(activity_keys))) as number
    from variant
)
select
    v.process_key,
    v.variant_key,
    list(a.activity order by p.number) filter (where a.activity is not null) as path
from variant as v
left join position as p using (variant_key)
left join activity as a on a.activity_key = p.activity_key
group by v.process_key, v.variant_key
"""

LOADING = ("event_loaded", "event_history", "load", "rejected", "cursor", "limitation")
"""What tells how the events came in; it differs between one load and several of the same events."""


def content(
    connection: duckdb.DuckDBPyConnection, *, without: Collection[str] = ()
) -> dict[str, list[tuple[object, ...]]]:
    """The sorted rows of each part of the content."""
    connection.execute(_NAMED_VARIANT)
    return {
        name: connection.execute(f"select columns(*) from ({sql}) order by all").fetchall()
        for name, sql in TABLES.items()
        if name not in without
    }


def digest(connection: duckdb.DuckDBPyConnection) -> str:
    """One hash of the whole content."""
    return hashlib.sha256(repr(content(connection)).encode()).hexdigest()
